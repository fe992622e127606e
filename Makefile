# make demo    a simulated vCenter, a deploy into it, and ssh to the new host
# make test    all tests, against the simulator and real SSH hosts; WORKERS=2 runs so many at the same time
# make storm   random commands and faults at once, then whether all held; SEED=7 SECONDS=300 POWER_CUTS=1
# make check   ruff, mypy, import-linter
# make bench   docs/reference/performance.md, measured; ONLY=tick,startup measures these parts
# make docs    docs/reference, the man pages and the table of shell completion, from the code
# Each sets up what it needs; on Debian and Ubuntu that includes system packages. The first three need root.

VENV := .venv
BIN := $(VENV)/bin
WHEEL := $(VENV)/wheel
WORKERS := 4
SECONDS := 120
PACKAGED := $(shell find diaken_cli playbooks docs/man config.example.toml -type f -not -name '*.pyc')
.DEFAULT_GOAL := help
.PHONY: help demo test storm check bench docs format clean

help:
	@sed -n 's/^# //p' Makefile

$(VENV)/ready: pyproject.toml
	@python3 -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo 'diaken needs Python 3.11 or newer as python3'; exit 1; }
	@python3 -c 'import ensurepip' 2>/dev/null || lab/prepare --only python3-venv
	@echo 'Installing diaken and its tools into $(VENV)'
	@python3 -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --editable . --group dev
	@touch $@

# diaken as users get it, for the tests: installed from its wheel.
$(WHEEL)/ready: $(VENV)/ready $(PACKAGED)
	@echo 'Installing the wheel into $(WHEEL)'
	@python3 -m venv $(WHEEL)
	@$(BIN)/python -m pip --python $(WHEEL)/bin/python install --quiet .
	@touch $@

demo: $(VENV)/ready
	@lab/prepare
	@PATH="$(CURDIR)/$(BIN):$$PATH" lab/demo

test: $(VENV)/ready $(WHEEL)/ready
	@lab/prepare --tests
	@DIAKEN_PYTHON=$(CURDIR)/$(WHEEL)/bin/python $(BIN)/pytest --numprocesses $(WORKERS) --dist loadfile

storm: $(VENV)/ready $(WHEEL)/ready
	@lab/prepare --tests
	@DIAKEN_PYTHON=$(CURDIR)/$(WHEEL)/bin/python $(BIN)/python -m tests.storm --seconds $(SECONDS) \
		$(if $(SEED),--seed $(SEED)) $(if $(POWER_CUTS),--power-cuts)

check: $(VENV)/ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(VENV)/ready
	@lab/prepare
	@$(BIN)/python -m bench --only "$(ONLY)"

docs: $(VENV)/ready
	@$(BIN)/python -m docs.generate

format: $(VENV)/ready
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

clean:
	rm -rf $(VENV) lab/.build .mypy_cache .pytest_cache .ruff_cache .hypothesis
