"""The lists of the admin; workers own the data, so that they only read, and acts go through their own pages."""

from jobs.admin import items, jobs, people

__all__ = ["items", "jobs", "people"]
