"""Benchmarks of `make bench`: ratios between two things measured side by side in the same run.

A figure alone says more about the machine than about the code, so each one is divided by a baseline of the same
moment. Every measurement takes several rounds in turn and counts their median. The load comes from a process of its
own over kept-alive connections. Ingest is measured under uvicorn and `manage.py serve`, on SQLite and, where
POSTGRES_URL names a server, on PostgreSQL; everything else under `manage.py serve` on SQLite.
"""
