# The two commands of the README. Both create .venv and install into it, in the versions of constraints.txt, with which the tests
# pass; only the tests need the dev extra.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO_READY := $(VENV)/.ready
INSTALLED := $(VENV)/.installed

.PHONY: demo test lint notebook docs constraints clean

demo: $(DEMO_READY)
	$(BIN)/semg-hht demo --out demo --overwrite

# Lists the 20 slowest tests at its end.
test: $(INSTALLED)
	@echo "The tests take about 5 minutes on two idle cores"
	$(BIN)/python -m pytest -n 2 --dist worksteal --durations=20

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

# Runs the notebook from its text and keeps what its cells print and draw.
notebook: $(INSTALLED)
	$(BIN)/python tests/render_notebook.py

# Builds the documentation as a site in site/.
docs: $(INSTALLED)
	$(BIN)/mkdocs build --strict

# Takes the newest version of every library into constraints.txt. Commit it if the tests pass with it.
constraints: $(INSTALLED)
	$(BIN)/python -m pip install --quiet --upgrade --upgrade-strategy eager -e '.[train,dev]'
	$(BIN)/python -m pip freeze --exclude-editable | sed 's/+cpu$$//' > constraints.txt

# The stamp file is written last: an interrupted install is repeated.
$(DEMO_READY): pyproject.toml requirements.txt constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "semg-hht needs Python 3.11 or newer; found " + sys.version)'
	$(PYTHON) -m venv $(VENV)
	@echo "Installing into $(VENV): a few minutes, once (torch is large)"
	@$(BIN)/python -m pip install --quiet --upgrade pip
	@$(BIN)/python -m pip install --quiet -c constraints.txt -r requirements.txt
	@touch $@

$(INSTALLED): $(DEMO_READY)
	@echo "Installing the tools of the tests"
	@$(BIN)/python -m pip install --quiet -c constraints.txt -e '.[train,dev]'
	@touch $@

clean:
	rm -rf $(VENV) demo
