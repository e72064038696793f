"""Reports from the libraries that run the work: one module for each, imported only where it is used.

A module here needs its library, which is an extra of this package: `pip install 'progress-client[celery]'`.
"""
