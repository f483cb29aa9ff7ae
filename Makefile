# Everything runs from .venv, which is made on first use. Needs only Python >= 3.11 with pip.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo test test-slow mutants check format bench notebook docs clean

$(BIN)/pixda: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[weights]'
	touch $(BIN)/pixda

# What the tests and the checks need beside it.
$(VENV)/dev: $(BIN)/pixda
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(VENV)/dev

demo: $(BIN)/pixda  ## the built-in street world: source only, fine-tuning and PixDA, a table and a report
	$(BIN)/pixda demo

test: $(VENV)/dev  ## the whole suite, two processes
	$(BIN)/python -m pytest -n 2 --dist loadfile -m "not slow"

test-slow: $(VENV)/dev  ## the checks that take minutes
	$(BIN)/python -m pytest -n 2 -m slow

mutants: $(VENV)/dev  ## wrong changes to the code, and whether a test notices: 20 of each file that has tests named in tests/mutants.py, or all of one: make mutants FILE=losses/distillation.py; SAMPLE=40: so many of each
	$(BIN)/python -m pip install --quiet 'cosmic-ray>=8.3'
	$(BIN)/python tests/mutants.py $(FILE) $(if $(SAMPLE),--sample $(SAMPLE))

check: $(VENV)/dev  ## lint, formatting, types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/dev  ## repair lint and formatting
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(BIN)/pixda  ## every part and the whole step, plain and as in the product: docs/results/performance.md
	$(BIN)/python -m benchmarks

notebook: $(BIN)/pixda  ## run docs/notebook.ipynb and keep its outputs
	$(BIN)/python -m pip install --quiet --editable '.[notebook]'
	$(BIN)/python docs/execute_notebook.py

docs: $(BIN)/pixda  ## the documentation as a site, in build/site
	$(BIN)/python -m pip install --quiet --editable '.[docs]'
	$(BIN)/zensical build --strict

clean:  ## remove the environment and everything the demo made
	rm -rf $(VENV) runs/demo build .mypy_cache .ruff_cache .pytest_cache
