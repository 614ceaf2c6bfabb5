# Every target sets up what it needs: Python 3.11 or newer, pip and make are enough.
PYTHON ?= $(firstword $(foreach p,python3 python3.14 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
VENV   ?= .venv
BIN     = $(VENV)/bin
READY   = $(VENV)/.ready

.PHONY: help demo test test-all lint bench soak tables setup clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(firstword $(MAKEFILE_LIST)) | expand -t 20

demo: $(READY) ## check, pack, deploy and use a real application image
	@$(BIN)/statehold demo

test: $(READY) ## run the tests
	$(BIN)/python -m pytest -n auto --dist worksteal -q

test-all: ## run the tests on every Python from 3.11 on that is found
	@for v in 3.11 3.12 3.13 3.14 3.15; do \
		for p in python$$v $$HOME/.pyenv/versions/$$v.*/bin/python; do \
			$$p -c "import sys; sys.exit('%d.%d' % sys.version_info[:2] != '$$v')" 2>/dev/null || continue; \
			echo "== $$($$p --version)"; \
			$(MAKE) --no-print-directory test PYTHON=$$p VENV=.venv-$$v || exit 1; \
			break; \
		done; \
	done

lint: $(READY) ## style, types and import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

bench: $(READY) ## the bars, each as a ratio to a limit measured in the same run
	$(BIN)/python -m benchmarks

soak: $(READY) ## long runs: leaks, kill -9, hostile input
	$(BIN)/python -m pytest -q -m soak

tables: $(READY) ## make the parser's tables anew after a change of vsql.lark
	$(BIN)/python -m statehold_vsql.syntax

setup: $(READY) ## make the virtual environment

# `--without-pip`, so that a Python without ensurepip is enough; the pip at hand installs into it.
$(READY): pyproject.toml constraints.txt requirements-dev.txt
	@test -n "$(PYTHON)" || { echo "Statehold needs Python 3.11 or newer: none found. Name one: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "Setting up $(VENV) with $$($(PYTHON) --version), about 30 s"
	@$(PYTHON) -m venv --clear --without-pip $(VENV)
	@$(PYTHON) -m pip --python $(BIN)/python install --quiet --disable-pip-version-check \
		--constraint constraints.txt --requirement requirements-dev.txt --editable .
	@touch $@

clean: ## remove what the targets made
	rm -rf .venv .venv-* build dist
