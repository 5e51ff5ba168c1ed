PYTHON ?= python3
TESTARGS ?=
BIN := .venv/bin
READY := .venv/.ready
# Two processes, each with a database server and ports of its own; the first one done helps the other.
PARALLEL := -n 2 --dist worksteal
# The tests of the pure core: without a database, the simulator, servers and processes.
PURE := tests/laws tests/unit $(patsubst %,--ignore=tests/unit/test_%.py,\
	architecture cli settings simulator api_client)

# Else each process that a test starts would compile all modules again.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help install run test slow quick laws lint types check mutants bench screenshots demo demo-recorded clean

help:  ## print this list
	@sed -nE 's/^([a-z-]+):.*## (.*)/make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

install: $(READY)  ## make .venv with everything in it

run: $(READY)  ## start the service in the foreground
	$(BIN)/projector run

test: $(READY)  ## run the tests but the slow ones, two at a time; TESTARGS="-k name" selects
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(TESTARGS)

slow: $(READY)  ## run the tests that take long
	$(BIN)/python -m pytest $(PARALLEL) -m slow $(TESTARGS)

quick: $(READY)  ## run the laws and the tests of the pure core
	$(BIN)/python -m pytest $(PARALLEL) -m "not slow" $(PURE) $(TESTARGS)

laws: $(READY)  ## try each law on 2,000 lives and 2,000 noises
	HYPOTHESIS_PROFILE=thorough $(BIN)/python -m pytest $(PARALLEL) tests/laws $(TESTARGS)

lint: $(READY)  ## check style, formatting and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-cache

types: $(READY)  ## check types
	$(BIN)/mypy

check: lint types test  ## lint, types and tests

mutants:  ## break the pure core in small ways; do the tests notice? (most of an hour)
	PYTHON='$(PYTHON)' sh tools/venv.sh .venv-mutants
	.venv-mutants/bin/python -m pip install --quiet --disable-pip-version-check \
		-c constraints.txt -e '.[dev,mutants]'
	rm -rf mutants
	HYPOTHESIS_PROFILE=mutants .venv-mutants/bin/mutmut run --max-children 2
	.venv-mutants/bin/python -m tools.mutants

bench: $(READY)  ## measure
	$(BIN)/python -m tools.bench

demo: $(READY)  ## play a contact center for the service of `make run`, until Ctrl-C
	$(BIN)/projector demo

demo-recorded: $(READY)  ## send recorded webhooks to it, and show what they make
	$(BIN)/projector demo --recorded

screenshots: $(READY)  ## make the pictures of the README from the simulator (some minutes)
	$(BIN)/python -m tools.screenshots

clean:  ## remove .venv and caches, but no data
	rm -rf .venv .venv-mutants build dist mutants *.egg-info .coverage htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(READY): setup.cfg setup.py constraints.txt tools/venv.sh
	PYTHON='$(PYTHON)' sh tools/venv.sh .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
