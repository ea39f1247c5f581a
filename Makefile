# One obvious command for each job. All set-up happens by itself: a virtual environment in .venv, pinned by
# constraints.txt; needs python3 (3.11 or newer) and nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
ARGS ?=

.DEFAULT_GOAL := help
.PHONY: help demo ui test proof mutants check format bench clean

help: ## what can be made
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 10

demo: $(READY) ## run the whole day of two stores in the sandbox (ARGS="--size full --json out.json")
	$(BIN)/rpsync demo $(ARGS)

ui: $(READY) ## the Dagster UI on http://127.0.0.1:3000, on the sandbox, or on RPSYNC_CONFIG if it is set
	$(BIN)/rpsync ui $(ARGS)

test: $(READY) ## the tests; without ARGS also how much of the code they ran, which must not sink
	$(BIN)/python -m pytest --numprocesses auto --dist loadfile --cov --cov-report= $(ARGS)
	@test -n "$(ARGS)" || $(BIN)/coverage report --include='rpsync_assets/core/*' --fail-under=100
	@test -n "$(ARGS)" || $(BIN)/coverage report

proof: $(READY) ## the longer proofs: 10,000 simulated days, a day killed 48 times, 300 MB files
	$(BIN)/python -m pytest -s -m proof $(ARGS)

mutants: $(READY) ## deliberate faults in the product's rules, each of which must be caught (ARGS="safety stock")
	$(BIN)/python -m rpsync_assets_tests.mutants $(ARGS)

check: $(READY) ## format, lint, types, and that Dagster loads the graph
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright --pythonpath $(BIN)/python
	$(BIN)/dagster definitions validate

format: $(READY) ## put the code into its usual form
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY) ## measure ourselves against peers on the same file, in one run
	$(BIN)/python -m rpsync_assets_tests.bench $(ARGS)

clean: ## remove the virtual environment and the worlds of the demo
	rm -rf $(VENV) data

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is older than 3.11: make PYTHON=/path/to/a/newer/python3"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || \
		{ echo "$(PYTHON) cannot make virtual environments; on Debian or Ubuntu: apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@
