# `make demo` and `make test` are all a newcomer needs; `make help` lists the rest.
# Everything is installed into .venv from the lock files; nothing outside this folder is touched.
PYTHON ?= python3
DISCORD_PORT ?= 8788
KVID_PORT ?= 8787
# Tests to run instead of the whole suite, in pytest's words: make test ARGS="tests/unit -k price"
ARGS ?=
# The whole suite must reach this much branch coverage, in percent.
COVERAGE_MIN ?= 90
# Test files run side by side: most tests wait for other processes, so a few more than cores do no harm.
WORKERS ?= 4
# Else each of a thousand processes would compile the project anew.
unexport PYTHONDONTWRITEBYTECODE

VENV := .venv
BIN := $(VENV)/bin
# Modules, not scripts: a script remembers the folder it was installed in, which may have been moved since.
RUN := $(BIN)/python -m
# Debian's python3 comes without pip and ensurepip, so the installer itself travels with the project.
PIP := $(BIN)/python tools/pip-26.3-py3-none-any.whl/pip
INSTALL := $(PIP) install --quiet --disable-pip-version-check --no-input --no-deps

.DEFAULT_GOAL := help
.PHONY: help demo test check install install-dev lock clean

help: ## say what there is
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile | expand -t 20

# exec: the bot's own exit code is make's, and a stop signal to make reaches it.
demo: install ## try the bot here, without keys (DISCORD_PORT=8788, KVID_PORT=8787)
	@exec $(RUN) bot demo --discord-port $(DISCORD_PORT) --kvid-port $(KVID_PORT)

# A part of the suite cannot reach the gate, so coverage is measured over the whole alone.
test: install-dev ## run the whole suite with coverage (ARGS="tests/unit" for a part)
	@mkdir -p artefacts
ifeq ($(strip $(ARGS)),)
	@$(RUN) coverage erase
	@$(RUN) coverage run -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
	@$(RUN) coverage combine --quiet
	@$(RUN) coverage report --fail-under=$(COVERAGE_MIN)
else
	@$(RUN) pytest $(ARGS)
endif

check: install-dev ## lint, formatting, types
	@$(RUN) ruff check .
	@$(RUN) ruff format --check .
	@$(RUN) mypy

install: $(VENV)/.installed ## install the bot into .venv
install-dev: $(VENV)/.installed-dev ## install the bot and the test tools into .venv

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kvid-bot needs Python 3.11 or newer. Name yours: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	@$(PYTHON) -m venv --without-pip $(VENV)

# PYTHONWARNINGS: setuptools warns about editable installs in general, which is meant here.
$(VENV)/.installed: requirements.lock pyproject.toml | $(BIN)/python
	@echo "Installing kvid-bot into $(VENV) (about a minute) ..."
	@$(INSTALL) --require-hashes -r requirements.lock
	@PYTHONWARNINGS=ignore $(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

COMPILE = $(RUN) uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-emit-find-links $(if $(UPGRADE),--upgrade) pyproject.toml --group build
lock: install-dev ## renew the lock files after a change in pyproject.toml (UPGRADE=1: newest versions)
	$(COMPILE) --output-file requirements.lock
	$(COMPILE) --group dev --output-file requirements-dev.lock

clean: ## remove everything that was installed or made here; data/ and .env stay
	rm -rf $(VENV) *.egg-info build .mypy_cache .ruff_cache .pytest_cache .hypothesis .demo artefacts .coverage .coverage.*
