# `make ablate` and `make test` need Python >= 3.11 with pip and venv, and nothing else.
# On Linux, TORCH_INDEX=https://download.pytorch.org/whl/cpu spares the CUDA libraries that PyPI's torch brings along.
PYTHON ?= python3
TORCH_INDEX ?=
VENV = .venv
BIN = $(VENV)/bin

.PHONY: ablate test lint install clean

ablate: $(VENV)/installed
	$(BIN)/msaf-bench ablate --table 3 --resume $(ARGS)

test: lint
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile

lint: $(VENV)/installed
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports
	$(BIN)/pyright
	$(BIN)/msaf-bench check

install: $(VENV)/installed

$(VENV)/installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "msaf-bench needs Python 3.11 or newer; make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) dist .pytest_cache .ruff_cache .import_linter_cache
