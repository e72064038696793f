# Tasks of development. Each target installs its requirements; it needs make and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python manage.py
export PORT ?= 8000
# Number of test processes: two per core, because many tests wait for servers. `make test WORKERS=0` uses a single one,
# for a debugger.
WORKERS ?= $(shell expr 2 \* $$(getconf _NPROCESSORS_ONLN))
MKDOCS := NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict -f .ci/mkdocs.yml
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: help demo test test-full lint docs screenshots wheel bench chaos e2e audit clean

# The first target: `make` alone prints the help.
help:  ## Print the targets
	@awk -F':.*  ## ' '/^[a-z0-9-]+:.*  ## / {printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(VENV)/.demo .env  ## Run the site with example workers
	$(RUN) migrate --verbosity 0
	exec $(RUN) demo

test: $(VENV)/.dev  ## Run the tests on SQLite; ARGS="-k leases" selects some
	$(PYTEST) $(ARGS)

test-full: $(VENV)/.dev  ## Run the tests at their large sizes, before a release
	FULL=1 $(PYTEST) $(ARGS)

lint: $(VENV)/.dev  ## Check style, format and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(MKDOCS)

docs: $(VENV)/.dev  ## Build the documentation; a warning is an error
	$(BIN)/python .ci/layer_table.py
	$(MKDOCS)

screenshots: $(VENV)/.dev  ## Take the pictures of README and docs from the demo (needs Chromium)
	$(BIN)/python .ci/screenshots.py

wheel: $(VENV)/.runtime  ## Build the wheel of the client in dist/, the same file that the site serves at /client/
	$(BIN)/python -m progress_site.client_wheel dist

bench: $(VENV)/.dev  ## Measure ratios of speed; ARGS=--quick for small sizes
	$(BIN)/python -m benchmarks $(ARGS)

chaos: $(VENV)/.dev  ## Kill processes at random, then check the invariants; ARGS="--soak --minutes 10"
	$(BIN)/python -m benchmarks.chaos $(ARGS)

e2e: $(VENV)/.dev  ## Run the tests in a browser
	$(PYTEST) -m e2e $(ARGS)

audit: $(VENV)/.dev  ## Check the requirements for known vulnerabilities
	@# The client is this repository's own: no index knows it.
	grep -hv '^-' requirements.txt requirements-scale.txt > $(VENV)/audited.txt
	$(BIN)/pip-audit --strict -r $(VENV)/audited.txt

clean:  ## Remove the virtualenv and all caches
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache

# Creates .env with a random SECRET_KEY; git ignores the file.
.env: .env.example
	@if [ -e $@ ]; then touch $@; else \
	  $(PYTHON) -c 'import pathlib, secrets; text = pathlib.Path(".env.example").read_text(); \
	    pathlib.Path(".env").write_text(text.replace("SECRET_KEY=\n", f"SECRET_KEY={secrets.token_urlsafe(50)}\n"))' \
	  && chmod 600 $@; fi

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Install Python 3.11 or newer, or name it: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.runtime: requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/.demo: $(VENV)/.runtime examples/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r examples/requirements.txt
	@touch $@

$(VENV)/.dev: requirements.txt requirements-dev.txt examples/requirements.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@ $(VENV)/.runtime $(VENV)/.demo

$(VENV)/.scale: requirements.txt requirements-scale.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-scale.txt
	@touch $@
