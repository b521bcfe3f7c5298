# What people and CI run. Each target sets itself up: nothing is needed but Python >= 3.11 and make.
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
INSTALLED := $(VENV)/.installed
INSTALLED_DOCS := $(VENV)/.installed-docs

LOWEST := .venv-lowest

.PHONY: demo tables test test-slow test-lowest docs lint types dist clean

$(INSTALLED): setup.cfg pyproject.toml constraints.txt
	test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[test]"
	touch $@

$(INSTALLED_DOCS): $(INSTALLED)
	$(PY) -m pip install --quiet --constraint constraints.txt --editable ".[docs]"
	touch $@

demo: $(INSTALLED)  ## cross-validate CrabNet beside the usual baselines on the bundled data
	$(PY) benchmarks/demo.py

tables: $(INSTALLED)  ## draw the tables of README and docs from benchmarks/results
	$(PY) benchmarks/make_tables.py

test: lint types  ## lint, types and the default tests
	$(PY) -m pytest --numprocesses 2 --dist worksteal

test-slow: $(INSTALLED)  ## kills, long fuzzing, ten million formulas: most of an hour
	$(PY) -m pytest -m slow tests/slow --junitxml build/test-slow.xml  # where the figures are
	$(PY) -m pytest --hypothesis-profile long -m "slow or not slow" --numprocesses 2 tests/composition
	$(PY) -m pytest -m slow tests/test_documentation.py tests/neural_network

test-lowest:  ## the default tests with the lowest versions that setup.cfg allows
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python -m pip install --quiet --constraint .ci/lowest.txt --editable ".[test]"
	$(LOWEST)/bin/python -m pytest --numprocesses 2 --dist worksteal -W ignore::FutureWarning

docs: $(INSTALLED_DOCS)  ## the site, in docs/_build/html; warnings are errors
	$(PY) -m sphinx -W --keep-going -d docs/_build/doctrees docs docs/_build/html

dist: $(INSTALLED)  ## a source archive and a wheel, in dist/
	$(PY) -m build

lint: $(INSTALLED)
	$(PY) -m ruff check .
	$(PY) -m ruff format --check .

types: $(INSTALLED)
	$(PY) -m mypy

clean:
	rm -rf $(VENV) $(LOWEST) build dist *.egg-info docs/_build docs/api/generated docs/notebooks
