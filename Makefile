# `make ablate` and `make test` need Python >= 3.11 with pip and venv, and nothing else.
# On Linux, TORCH_INDEX=https://download.pytorch.org/whl/cpu spares the CUDA libraries that PyPI's torch brings along.
PYTHON ?= python3
TORCH_INDEX ?=
VENV = .venv
BIN = $(VENV)/bin

PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

.PHONY: ablate quick test style types fast-tests all-tests install clean

ablate: $(VENV)/installed
	$(BIN)/msaf-bench ablate --table 3 --resume $(ARGS)

# The fast loop and everything; style, types and tests run side by side.
quick test: $(VENV)/installed
	$(MAKE) --no-print-directory --jobs 3 style types $(if $(filter quick,$@),fast-tests,all-tests)

style: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(VENV)/installed
	$(BIN)/pyright

fast-tests: $(VENV)/installed
	$(PYTEST) -m 'not slow'

all-tests: $(VENV)/installed
	$(PYTEST)

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "msaf-bench needs Python 3.11 or newer; make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .import_linter_cache
