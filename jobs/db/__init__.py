"""SQL that the ORM cannot write: bulk statements, deletion in portions, the order of events."""
