# Creator Graph: `make run` sets everything up and runs it; `make test` sets up and passes all tests.
# Needs Python 3.11 or newer with venv, and make. Nothing else by hand.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
CLIENTS := tests/acceptance/conformance

.PHONY: help setup run test ordinary check format schema pins web examples migrate bench clients conformance clean

help: ## this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1|/' | awk -F'|' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(VENV)/.run-ready web ## the virtual environment and the pages

run: setup ## set everything up, connect three simulated creators, serve until Ctrl-C
	@exec $(BIN)/creator-graph run

test: $(VENV)/.test-ready web examples check ## all checks and all tests
	$(BIN)/pytest -q -n 2 --dist worksteal

ordinary: $(VENV)/.test-ready web ## the service's tests again, all executed by graphql-core: the compiled path off
	$(BIN)/pytest -q -n 2 --dist worksteal --ordinary tests/acceptance tests/browser

check: $(VENV)/.test-ready ## format, lint, types, imports
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/.test-ready ## write the format
	$(BIN)/ruff check -q --fix . ; $(BIN)/ruff format -q .

schema: $(VENV)/.run-ready ## write schema.graphql from the code
	$(BIN)/creator-graph schema --write

web: $(VENV)/bin/python ## the pages, where they changed (needs Node or brings one; without it the API still runs)
	@VENV=$(VENV) sh web/build.sh

examples: $(VENV)/bin/python ## the React example, where it changed (needs Node)
	@VENV=$(VENV) sh examples/react/build.sh

migrate: $(VENV)/.run-ready ## bring the database to the newest tables
	$(BIN)/creator-graph migrate

pins: $(VENV)/bin/python ## compile requirements*.in to pins with hashes
	$(BIN)/pip install -q uv
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links requirements.in -o requirements.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links requirements-dev.in -o requirements-dev.txt
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-emit-find-links $(CLIENTS)/requirements.in -o $(CLIENTS)/requirements.txt

bench: $(VENV)/.test-ready ## peers and ours side by side: ratios in bench/out/ (ARGS=--quick; --help tells more)
	$(BIN)/python -m bench.run $(ARGS)

clients: ## the clients and suites that tests try, from their pins, in an ignored folder (needs node 20+)
	@npm ci --prefix $(CLIENTS) --ignore-scripts --no-audit --no-fund --loglevel=error
	@$(PYTHON) -m venv $(CLIENTS)/python
	@$(CLIENTS)/python/bin/pip install -q --disable-pip-version-check --require-hashes -r $(CLIENTS)/requirements.txt

conformance: $(VENV)/.test-ready clients ## real clients and public suites against the real service; writes docs/conformance.md
	SCHEMATHESIS_SECONDS=60 $(BIN)/python -m pytest -q $(CLIENTS)
	$(BIN)/python $(CLIENTS)/table.py

clean: ## forget the environment, the pages and the data
	rm -rf $(VENV) web/dist web/node_modules examples/react/dist examples/react/node_modules $(CLIENTS)/node_modules $(CLIENTS)/python $(CLIENTS)/results var

$(VENV)/bin/python:
	@echo "Making $(VENV) ..."
	@$(PYTHON) -m venv $(VENV)

$(VENV)/.run-ready: requirements.txt pyproject.toml | $(VENV)/bin/python
	@echo "Installing what the service runs on ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements.txt
	@$(BIN)/pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/.test-ready: requirements-dev.txt $(VENV)/.run-ready | $(VENV)/bin/python
	@echo "Installing what tests and checks add ..."
	@$(BIN)/pip install -q --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@
