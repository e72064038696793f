"""Pure rules: statuses, errors, progress, limits, names, fingerprints, formats and the registry of pipelines."""
