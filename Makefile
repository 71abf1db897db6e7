# `make demo` and `make test` each do all their own set-up. `make help` lists the rest.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

# TensorFlow's CPU-only build exists for x86-64 Linux; elsewhere, and for a GPU, take the plain one:
#   make test TENSORFLOW=tensorflow
ifeq ($(shell uname -sm),Linux x86_64)
TENSORFLOW ?= tensorflow-cpu
else
TENSORFLOW ?= tensorflow
endif
EXTRAS := torch,$(TENSORFLOW),report,demo,test

PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet --progress-bar off -c constraints.txt
PEERS := adversarial-robustness-toolbox tqdm foolbox eagerpy gitpython gitdb smmap torchattacks

# One thread for each framework: the same numbers on any machine, and no pools that wait for each other by spinning. On
# networks as small as the demo's a second thread costs more than it brings.
ONE_THREAD := OMP_NUM_THREADS=1 TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
QUIET := TF_ENABLE_ONEDNN_OPTS=0 TF_CPP_MIN_LOG_LEVEL=2 KERAS_BACKEND=tensorflow MPLBACKEND=Agg
RUN := env $(ONE_THREAD) $(QUIET)
PEERS_PATH := PYTHONPATH="$(VENV)/peers$${PYTHONPATH:+:$$PYTHONPATH}"

.PHONY: help setup demo test test-all lint bench bench-gpu clean

help: ## what each target does
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1|/' | awk -F'|' '{ printf "make %-10s %s\n", $$1, $$2 }'

setup: $(VENV)/.installed ## the virtual environment in .venv, nothing else

demo: $(VENV)/.installed ## train a small network on handwritten digits, attack it, write a report
	@env $(ONE_THREAD) $(BIN)/armour demo

test: lint ## lint, types and the quick tests: what CI runs
	@$(RUN) $(BIN)/python -m pytest -m "not full"

test-all: lint $(VENV)/.installed-all ## everything: the full conformance checks, JAX
	@$(RUN) $(BIN)/python -m pytest

lint: $(VENV)/.installed ## ruff and mypy
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy

bench: $(VENV)/.installed-peers ## armour beside Foolbox, ART and torchattacks: a table of ratios
	@$(RUN) $(PEERS_PATH) $(BIN)/python -m benchmarks

bench-gpu: $(VENV)/.installed-peers ## the same on the first CUDA device
	@$(RUN) $(PEERS_PATH) $(BIN)/python -m benchmarks --device cuda:0

clean: ## remove all that make has made here, .venv too
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis armour-demo
	find armour_core plugins backends tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit(f"armour needs Python 3.11 or newer, and $(PYTHON) is {sys.version.split()[0]}: make PYTHON=python3.12")'
	@echo "Installing armour and its frameworks into $(VENV): a few minutes, once."
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) -e '.[$(EXTRAS)]'
	@touch $@

$(VENV)/.installed-all: $(VENV)/.installed
	@$(PIP) jax jaxlib
	@touch $@

# Apart from the environment and without what they ask for: their wishes must not change the versions armour is tested with.
$(VENV)/.installed-peers: $(VENV)/.installed
	@$(PIP) --no-deps --upgrade --target $(VENV)/peers $(PEERS)
	@touch $@
