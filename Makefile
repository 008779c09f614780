# The targets that people type. They need only Python 3.11 or newer and git.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
ONLY   ?=
TESTS  ?=
# Many tests wait for processes, so there is one worker more than there are cores; Redis has a database for each of 16.
# worksteal: a worker that has no tests left takes some from the others.
WORKERS ?= $(shell $(BIN)/python -c 'import os; print(min(os.cpu_count() + 1, 16))')
PYTEST = $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --durations 10
# The tests of the rooms in which a file differs from BASE; a room is a folder of sms_service.
BASE   ?= main
CHANGED = $(wildcard $(sort $(shell \
    { git diff --name-only $(BASE)...; git diff --name-only HEAD; git ls-files --others --exclude-standard; } | \
    sed -nE 's,^(sms_service|tests)/([a-z_]+)/.*,tests/\2,p')))
MINUTES ?= 30
export ADDRESS
# Bytecode is kept, whatever the shell says: the tests alone start this program hundreds of times.
export PYTHONDONTWRITEBYTECODE :=
SEED   ?= 1

.PHONY: help run demo test test-changed test-ledger lint messages bench chaos vendor screenshots clean
.DEFAULT_GOAL := help

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo "Python 3.11 or newer is needed; $(PYTHON) is $$($(PYTHON) --version 2>&1). Name another: make PYTHON=python3.12 …" >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	    echo "cannot make a virtual environment with $(PYTHON); on Debian: apt-get install python3-venv" >&2; exit 1; }

# A stamp is newer than the list it was installed from.
$(VENV)/run.stamp: requirements.txt | $(BIN)/python
	@echo "installing requirements.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements.txt requirements-dev.txt | $(BIN)/python
	@echo "installing requirements-dev.txt"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $(VENV)/run.stamp $@

run: $(VENV)/run.stamp  ## run the whole service here; the first time, show the demonstration
	@exec $(BIN)/python -m sms_service run

demo: $(VENV)/run.stamp  ## the demonstration once, in a throw-away folder
	@exec $(BIN)/python -m sms_service demo

test: $(VENV)/dev.stamp  ## all tests, or those of TESTS=tests/folder
	@$(PYTEST) $(TESTS)

test-changed: $(VENV)/dev.stamp  ## the tests of the rooms that differ from BASE=main, and those of all rooms together
	@$(PYTEST) $(wildcard tests/test_*.py) $(CHANGED)

test-ledger: $(VENV)/dev.stamp  ## migrations and the ledger's SQL; SMS_TEST_POSTGRES_BIN names another PostgreSQL
	@$(PYTEST) $(wildcard tests/db tests/ledger tests/controls tests/dispatch tests/delivery tests/audience)

lint: $(VENV)/dev.stamp  ## ruff, mypy and the layers of the design
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

messages: $(VENV)/run.stamp  ## gather what the sources say to people into sms_service/locale; then translate what is new
	@$(BIN)/python -m wording

bench: $(VENV)/run.stamp  ## every figure as a line of JSON; ONLY=name for one
	@$(BIN)/python -m benchmarks $(ONLY)

chaos: $(VENV)/run.stamp  ## break everything for MINUTES=30 while it sends, by the plan of SEED=1; one line of JSON
	@$(BIN)/python -m chaos --minutes $(MINUTES) --seed $(SEED)

vendor: $(VENV)/run.stamp  ## fetch the pages' npm files anew, as versions.toml says
	@$(BIN)/python -m vendoring

screenshots: $(VENV)/dev.stamp  ## take the pictures of docs/console.md; ADDRESS=http://… of a demonstration that runs
	@$(BIN)/python -m screenshots

clean:  ## remove the virtual environment and caches; data under var/ stays
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -prune -exec rm -rf {} +
