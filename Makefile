# `make` is `make cycle`; `make help` lists everything.

PYTHON ?= python3
PORT ?= 3000
export DAGSTER_HOME ?= $(CURDIR)
# `dagster job execute` and `dagster dev` say at each start that `dg` supersedes them. They work.
export PYTHONWARNINGS ?= ignore:Function
BIN := .venv/bin

# Links to the UI follow PORT, unless somebody says where it is.
ifneq ($(PORT),3000)
ifeq ($(LCW_UI_URL)$(shell grep -s '^ *LCW_UI_URL=.' .env),)
export LCW_UI_URL := http://127.0.0.1:$(PORT)
endif
endif

.PHONY: cycle dev status why sql alert-test slow-demo test lint types help clean purge
.DEFAULT_GOAL := cycle

# Dagster's storage is made before anything is started: of two processes that meet a fresh one, one breaks, and
# `dagster dev` starts four.
READY := .venv/run.stamp .dagster/history/runs.db

# Dagster reads .env before any code of ours, and ends with a traceback at what is no UTF-8.
READ_DOTENV := [ ! -f .env ] || $(BIN)/python -c 'import sys; sys.exit("\0" in open(".env", encoding="utf-8").read())' \
	2> /dev/null || { echo ".env is not text in UTF-8: save it as UTF-8"; exit 1; }

cycle: $(READY)       ## set everything up, run one fetch cycle, say how it went
	@$(READ_DOTENV)
	@$(BIN)/dagster job execute -m lcw_assets.definitions -j fetch_cycle
	@$(BIN)/python -m lcw_assets

dev: $(READY)         ## the UI, with a cycle every minute; PORT=3001 is another port
	@$(READ_DOTENV)
	@echo "$${LCW_UI_URL:-http://127.0.0.1:$(PORT)} opens in some ten seconds; a line a cycle follows, and one for whatever is wrong; Ctrl-C stops"
	@$(BIN)/dagster dev --log-level warning -h 127.0.0.1 -p $(PORT)

status: .venv/run.stamp ## how the last cycle went, credits left, open alerts, the age of each table
	@$(BIN)/python -m lcw_assets

why: .venv/run.stamp  ## why a cycle was slow: the last one, or that of AT=14:32 (UTC)
	@$(BIN)/python -m lcw_assets why "$(AT)"

sql: .venv/run.stamp  ## a query, read only: Q="SELECT code, rate FROM market.current_coins"; CSV=1 writes all rows as CSV
	@$(BIN)/python -m lcw_assets sql $(if $(CSV),--csv) "$$Q"

alert-test: .venv/run.stamp ## send a test to every channel of LCW_ALERT_URLS
	@$(BIN)/python -m lcw_assets alert-test

slow-demo: .venv/run.stamp ## what a slow API looks like, with its alerts, failed checks and report: two minutes
	@$(BIN)/python docs/slow_demo.py

test: .venv/dev.stamp ## set everything up and run the tests
	$(BIN)/pytest

lint: .venv/dev.stamp ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: .venv/dev.stamp ## mypy
	$(BIN)/mypy

help:                 ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1: \2/p' Makefile | awk -F ': ' '{n = $$1; sub(/^[^:]*: /, ""); printf "make %-10s  %s\n", n, $$0}'

clean:                ## remove what set-up made; data and run history stay
	rm -rf .venv .mypy_cache .pytest_cache .ruff_cache .hypothesis *.egg-info

purge:                ## clean, and remove data/ and the run history as well; asks first, YES=1 does not
	@[ "$(YES)" = 1 ] || { printf 'Remove data/ and .dagster/, all data and run history of this folder? [y/N] '; \
		read reply && [ "$$reply" = y ]; } || { echo "nothing was removed"; exit 1; }
	@[ -z "$$LCW_DATA_DIR" ] || echo "$$LCW_DATA_DIR (LCW_DATA_DIR) is left as it is"
	@$(MAKE) --no-print-directory clean
	rm -rf data .dagster .telemetry .nux .logs_queue

.venv/run.stamp: pyproject.toml constraints.txt set_up.py
	@$(PYTHON) set_up.py
	@touch $@

.venv/dev.stamp: .venv/run.stamp
	@$(PYTHON) set_up.py dev
	@touch $@

.dagster/history/runs.db: | .venv/run.stamp
	@$(BIN)/dagster instance info > /dev/null
