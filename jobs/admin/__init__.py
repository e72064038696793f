"""The lists of the admin; workers own the data, so that they only read, and acts go through their own pages."""

from jobs.admin import accounts, bulk, deliveries, endpoints, items, jobs, letters, people, tokens

__all__ = ["accounts", "bulk", "deliveries", "endpoints", "items", "jobs", "letters", "people", "tokens"]
