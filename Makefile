# `make demo` and `make test` are all a newcomer needs: they prepare .venv themselves.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PYTHON_FOUND := $(shell command -v $(PYTHON) || command -v python3)

# Tests start hundreds of Pythons; where this is set, each of them would compile all of Remora for itself.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo up test chromium pictures check format lint types imports unit features cluster clients chart golden docs bench chaos clean

help:  ## Show what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 12

$(STAMP): pyproject.toml constraints.txt
	@echo "Preparing $(VENV) (once; about half a minute)"
	@$(PYTHON_FOUND) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name one with PYTHON=")'
	@$(PYTHON_FOUND) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[cluster,examples,clients,docs,dev]'
	@touch $@

demo: $(STAMP)  ## Show a real client held by a real cookie on a real pod, on a cluster of its own
	@$(BIN)/remora demo

up: $(STAMP)  ## Start the local cluster in the foreground
	@$(BIN)/remora up

# Browser tests need Debian's Chromium; where it is missing and cannot be had, they are skipped and say so.
chromium:
	@command -v chromium >/dev/null || { [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null && echo "Installing chromium (once)" \
	  && { timeout 60 apt-get update && DEBIAN_FRONTEND=noninteractive timeout 120 apt-get install -y --no-install-recommends chromium; } \
	  >/dev/null 2>&1; } || echo "Without chromium the tests in a browser are skipped: apt-get install chromium"

test: $(STAMP) chromium  ## Run all tests, four files at a time: most of them wait for something
	$(BIN)/pytest -q -n 4 --dist loadfile --no-loadscope-reorder

check: lint types imports unit  ## Format, lint, types, import contracts, pure tests

format: $(STAMP)  ## Write the code in its format
	$(BIN)/ruff format src tests examples bench
	$(BIN)/ruff check --fix src tests examples bench

lint: $(STAMP)
	$(BIN)/ruff format --check src tests examples bench
	$(BIN)/ruff check src tests examples bench

types: $(STAMP)
	$(BIN)/mypy

imports: $(STAMP)
	$(BIN)/lint-imports

unit: $(STAMP)  ## Run the pure tests
	$(BIN)/pytest -q tests/unit tests/golden tests/properties tests/architecture

features: $(STAMP)  ## Run the tests against a real HAProxy
	$(BIN)/pytest -q tests/features

cluster: $(STAMP)  ## Run the tests of the local cluster, with kubectl where there is one
	$(BIN)/pytest -q tests/cluster

clients: $(STAMP)  ## Run all tests with clients of others; installs them first (Node.js and npm for one of them)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[foreign]'
	REMORA_CLIENTS=1 $(BIN)/pytest -q -n 2 tests/cluster/clients tests/cluster/test_deploy.py tests/unit/deploy

chart: $(STAMP)  ## Ask Helm anew what it makes of the chart; review the difference as code
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[foreign]'
	$(BIN)/python -m tests.support.helm

golden: $(STAMP)  ## Rewrite the expected results of tests/golden; review the difference as code
	REMORA_UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/golden

docs: $(STAMP)  ## Write the pages that are made from tables, and build the site: build/site/index.html
	REMORA_UPDATE_GOLDEN=1 $(BIN)/pytest -q tests/architecture/test_generated_pages.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet

pictures: $(STAMP) chromium  ## Make the dashboard's pictures in docs/pictures anew, from a cluster of its own
	$(BIN)/python -m tests.dashboard.pictures docs/pictures

# QUICK=1 gives a look at the questions of the suite, and pictures and tables that nobody should cite.
PICTURES := $(if $(QUICK),build/bench,docs/pictures)

$(VENV)/.bench: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[bench]'
	@touch $@

bench: $(VENV)/.bench  ## Measure all, beside what else there is, in a quarter of an hour (docs/performance.md says what to install); QUICK=1 for a look
	$(BIN)/python bench/suite.py --output $(PICTURES) $(if $(QUICK),--quick)

chaos: $(STAMP)  ## Let every fault befall a controller under load, and say what each has cost (about ten minutes)
	$(BIN)/pytest -q -m chaos tests/chaos

clean:  ## Remove what was installed and cached
	rm -rf $(VENV) build dist .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache
