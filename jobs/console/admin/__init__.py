"""The lists of the admin; workers own the data, so that they only read, and acts go through their own pages."""

from jobs.console.admin import accounts, bulk, dead_letters, deliveries, endpoints, items, jobs, tokens, workers

__all__ = ["accounts", "bulk", "dead_letters", "deliveries", "endpoints", "items", "jobs", "tokens", "workers"]
