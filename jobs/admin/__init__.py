"""The lists of the admin; workers own the data, so that they only read, and acts go through their own pages."""

from jobs.admin import deliveries, endpoints, items, jobs, letters, people

__all__ = ["deliveries", "endpoints", "items", "jobs", "letters", "people"]
