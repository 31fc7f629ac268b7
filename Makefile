# Each target sets up .venv by itself; change pyproject.toml and the next one installs again.
PYTHON ?= python3
PRESET ?=
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
preset = $(if $(PRESET),--preset $(PRESET))

.PHONY: lab test compare bench lint results clean

lab: .venv/ready
	jupyter lab --notebook-dir=notebooks

test: .venv/ready
	python -m pytest

compare: .venv/ready
	python -m cl_helpers compare $(preset)

bench: .venv/ready .avalanche/ready
	python benchmarks/bench.py $(SECTION)

lint: .venv/ready
	ruff check .
	ruff format --check .
	mypy

# The tables of results/, from nothing. About an hour on two cores; finished runs are kept.
results: .venv/ready
	python -m cl_helpers tune --out results/tuning
	python -m cl_helpers compare --data mnist --preset full --seeds 0,1,2 --out results/homework

.venv/ready: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $@

# Avalanche, to be measured against, in an environment of its own.
.avalanche/ready:
	$(PYTHON) -m venv .avalanche
	.avalanche/bin/python -m pip install --quiet avalanche-lib==0.6.0
	touch $@

clean:
	rm -rf .venv .avalanche build *.egg-info
