# `make ablate` and `make test` need Python >= 3.11 with pip and venv, and nothing else.
# On Linux, TORCH_INDEX=https://download.pytorch.org/whl/cpu spares the CUDA libraries that PyPI's torch brings along.
PYTHON ?= python3
TORCH_INDEX ?=
VENV = .venv
BIN = $(VENV)/bin
PIP = $(BIN)/python -m pip install --disable-pip-version-check --constraint constraints.txt
SIZE = 2 GB$(if $(TORCH_INDEX),,; on Linux several more for CUDA, which TORCH_INDEX=https://download.pytorch.org/whl/cpu leaves out)

PYTEST = $(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder

# Two stamps: what a run needs, and that with the tools of development. Where these are, a run needs no other.
TOOLS = $(VENV)/installed
RUN = $(VENV)/installed-run
FOR_A_RUN = $(if $(wildcard $(TOOLS)),$(TOOLS),$(RUN))

.PHONY: ablate quick test style types fast-tests all-tests install site clean

ablate: $(FOR_A_RUN)
	$(BIN)/msaf-bench ablate --table 3 --resume $(ARGS)

# The fast loop and everything; style, types and tests run side by side.
quick test: $(TOOLS)
	$(MAKE) --no-print-directory --jobs 3 style types $(if $(filter quick,$@),fast-tests,all-tests)

style: $(TOOLS)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/lint-imports

types: $(TOOLS)
	$(BIN)/pyright

fast-tests: $(TOOLS)
	$(PYTEST) -m 'not slow'

all-tests: $(TOOLS)
	$(PYTEST)

install: $(TOOLS)

$(TOOLS): WITH = [dev]
$(TOOLS) $(RUN): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "msaf-bench needs Python 3.11 or newer; make PYTHON=python3.11")'
	@echo 'Installing msaf-bench$(if $(WITH), and the tools to test it,) into $(VENV), once: 2 minutes on a fast line, $(SIZE).'
	$(PYTHON) -m venv $(VENV)
	$(PIP) $(if $(TORCH_INDEX),--index-url $(TORCH_INDEX)) torch
	$(PIP) --editable '.$(WITH)'
	@touch $@
	@echo 'Installed: $(BIN)/msaf-bench, or msaf-bench after `source $(BIN)/activate`.'

# The documentation, with the reference runs as pages. Nothing is fetched.
site: $(TOOLS)
	rm -rf build/runs
	mkdir -p build
	cp -r reports/reference build/runs
	for plan in build/runs/*/plan.json; do $(BIN)/msaf-bench report $${plan%/plan.json} || exit 1; done
	$(BIN)/msaf-bench report --index build/runs
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build

clean:
	rm -rf $(VENV) build dist site .pytest_cache .ruff_cache .import_linter_cache
