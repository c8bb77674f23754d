# make cycle: set everything up, run one fetch cycle, say how it went
# make test:  set everything up, run the tests
# make dev:   open the UI with the minute schedule on
# make status: how the last cycle went; make alert-test: does every channel take alerts?
# make slow-demo: what a slow API looks like, with its alerts, failed checks and report
# make lint, make types, make clean

PYTHON ?= python3
export DAGSTER_HOME ?= $(CURDIR)
# `dagster job execute` says at each start that `dg launch` supersedes it. It works, and needs no further package.
export PYTHONWARNINGS ?= ignore:Function
BIN := .venv/bin

.PHONY: cycle test dev status alert-test slow-demo lint types clean
.DEFAULT_GOAL := cycle

cycle: .venv/run.stamp
	@$(BIN)/dagster job execute -m lcw_assets.definitions -j fetch_cycle
	@$(BIN)/python -m lcw_assets

test: .venv/dev.stamp
	$(BIN)/pytest

dev: .venv/run.stamp
	$(BIN)/dagster dev -h 127.0.0.1 -p $(or $(PORT),3000)

status: .venv/run.stamp
	@$(BIN)/python -m lcw_assets

alert-test: .venv/run.stamp
	@$(BIN)/python -m lcw_assets alert-test

slow-demo: .venv/run.stamp
	@$(BIN)/python docs/slow_demo.py

lint: .venv/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev.stamp
	$(BIN)/mypy

clean:
	rm -rf .venv .dagster .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

.venv/run.stamp: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; v = sys.version_info[:2]; sys.exit(0 if (3, 10) <= v < (3, 14) else f"lcw-assets needs Python 3.10 to 3.13 and $(PYTHON) is {v[0]}.{v[1]}: try make PYTHON=python3.12")'
	@echo "setting up .venv, once"
	@$(PYTHON) -m venv .venv
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e .
	@# A fresh instance that two processes meet at once breaks one of them, and `dagster dev` starts four.
	@$(BIN)/dagster instance info >/dev/null
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(BIN)/pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
