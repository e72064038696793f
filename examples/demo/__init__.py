"""The demo: the site with real workers over real files. `manage.py demo` and `make demo` run it."""
