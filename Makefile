# The two commands of the README. Both make .venv and install into it by themselves; only the tests need the dev extra.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_READY := $(VENV)/.ready
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint notebook docs clean

demo: $(DEMO_READY)
	$(BIN)/semg-hht demo --out demo --overwrite

test: $(INSTALLED)
	$(BIN)/python -m pytest -n 2

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# The notebook from its text, with what its cells show.
notebook: $(INSTALLED)
	$(BIN)/python tests/render_notebook.py

# The documentation as a site in site/.
docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

# The mark is written last: an install that breaks off is done again.
$(DEMO_READY): pyproject.toml requirements.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "semg-hht needs Python 3.11 or newer; found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes, once (torch is large)"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet -r requirements.txt
	@touch $@

$(INSTALLED): $(DEMO_READY)
	@echo "Installing what the tests need, too"
	@$(BIN)/python -m pip install --quiet -e '.[train,dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo
