# Every target sets itself up from a fresh clone; it needs make and Python 3.11 or newer.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/python manage.py
export PORT ?= 8000
# How many processes share the tests: `make test WORKERS=0` runs them in this one, for a debugger.
WORKERS ?= auto
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup --no-loadscope-reorder

.PHONY: demo test test-full lint bench e2e audit clean

demo: $(VENV)/.demo .env
	$(RUN) migrate --verbosity 0
	exec $(RUN) demo

test: $(VENV)/.dev
	$(PYTEST) $(ARGS)

# The same tests at their large sizes: before a release.
test-full: $(VENV)/.dev
	FULL=1 $(PYTEST) $(ARGS)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks $(ARGS)

e2e: $(VENV)/.dev
	$(PYTEST) -m e2e $(ARGS)

audit: $(VENV)/.dev
	@# The client is this repository's own: no index knows it.
	grep -hv '^-' requirements.txt requirements-scale.txt > $(VENV)/audited.txt
	$(BIN)/pip-audit --strict -r $(VENV)/audited.txt

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .pytest_cache .ruff_cache

# A secret of this clone; the file is not committed.
.env: .env.example
	@if [ -e $@ ]; then touch $@; else \
	  $(PYTHON) -c 'import pathlib, secrets; text = pathlib.Path(".env.example").read_text(); \
	    pathlib.Path(".env").write_text(text.replace("SECRET_KEY=\n", f"SECRET_KEY={secrets.token_urlsafe(50)}\n"))' \
	  && chmod 600 $@; fi

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; PYTHON=... names another")'
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
