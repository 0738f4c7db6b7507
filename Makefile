# Two commands matter: `make demo` and `make test`. Everything is installed into .venv from the lock files.
PYTHON ?= python3
DISCORD_PORT ?= 8788
KVID_PORT ?= 8787
VENV := .venv
BIN := $(VENV)/bin
# Debian's python3 comes without pip and ensurepip, so the installer itself travels with the project.
PIP := tools/pip-26.3-py3-none-any.whl
INSTALL = $(BIN)/python $(PIP)/pip install --quiet --disable-pip-version-check --no-deps

.PHONY: demo test check lock clean install install-dev

demo: install
	@exec $(BIN)/kvid-bot demo --discord-port $(DISCORD_PORT) --kvid-port $(KVID_PORT)

test: install-dev
	@$(BIN)/python -m tests

check: install-dev
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "kvid-bot needs Python 3.11 or newer; say which with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	@echo "Installing kvid-bot into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements.lock
	@$(INSTALL) --no-build-isolation --editable .
	@touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	@echo "Installing the test tools into $(VENV) ..."
	@$(INSTALL) --require-hashes -r requirements-dev.lock
	@touch $@

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-find-links
lock: install-dev
	$(LOCK) pyproject.toml --group build --output-file requirements.lock
	$(LOCK) pyproject.toml --group build --group dev --output-file requirements-dev.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .demo artefacts .coverage .coverage.*
