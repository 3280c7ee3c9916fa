# Each target works as the only command after a fresh clone. `make` alone lists them.

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.9
STAMP := $(VENV)/.installed
SQL_PATHS := $(wildcard models macros snapshots tests/dbt analyses)

.DEFAULT_GOAL := help
.PHONY: help install up down demo pictures test test-drills test-setup lint format docs bench soak clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## .venv with everything in it, and the jars of Delta and Kafka
	@$(BIN)/python -m lakehouse.jars

# The first Python on PATH that starts and is of a version we test; pyenv's shims exist for all.
$(STAMP): pyproject.toml uv.lock
	@set -e; \
	if [ ! -x $(BIN)/python ]; then \
	    for candidate in python3.13 python3.12 python3.11 python3; do \
	        if $$candidate -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' \
	            >/dev/null 2>&1; then python=$$candidate; break; fi; \
	    done; \
	    if [ -z "$$python" ]; then \
	        echo "No Python 3.11, 3.12 or 3.13 on PATH: install one (Debian:" \
	            "apt install python3 python3-venv; macOS: brew install python@3.13)." >&2; exit 1; \
	    fi; \
	    echo "Making $(VENV) with $$python"; \
	    if ! $$python -m venv $(VENV) > $(VENV).log 2>&1; then \
	        cat $(VENV).log >&2; rm -rf $(VENV) $(VENV).log; \
	        echo "$$python has no venv: install it (Debian: apt install python3-venv)." >&2; exit 1; \
	    fi; \
	    rm -f $(VENV).log; \
	fi; \
	if [ ! -x $(BIN)/uv ]; then \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check 'uv>=$(UV_VERSION)'; \
	fi; \
	$(BIN)/uv sync --locked --quiet --compile-bytecode; \
	touch $(STAMP)

up: install ## start the workspace
	@$(BIN)/lakehouse up

down: $(STAMP) ## stop the workspace
	@$(BIN)/lakehouse down

demo: install ## a simulated month and the sample through Kafka, bronze, silver and gold
	@$(BIN)/lakehouse demo

pictures: test-setup ## those of README and docs, from a demo in a home of its own
	@home=$$(mktemp -d); export LAKEHOUSE_HOME=$$home; \
	$(BIN)/lakehouse demo && $(BIN)/python -m tests.dashboard.pictures; code=$$?; \
	$(BIN)/lakehouse down; rm -rf $$home; exit $$code

lint: install ## all checks that need no workspace
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/deno fmt --quiet --check
	@$(BIN)/deno lint --quiet
	@$(BIN)/deno check --quiet lakehouse/dashboard/assets
	@$(BIN)/mypy
	@$(BIN)/dbt --quiet --warn-error parse
	@COLUMNS=200 $(BIN)/dbt-bouncer run > target/dbt-bouncer.log 2>&1 || { cat target/dbt-bouncer.log; exit 1; }
	@$(BIN)/sqlfluff lint --nocolor $(SQL_PATHS)

# What the tests need beyond `install`; each target that adds a need adds it here.
test-setup: install
	@$(BIN)/python -m deploy.checks.tools
	@$(BIN)/python -m tests.dashboard.browser

# pytest comes last, so that its summary closes the run.
test: test-setup lint ## all checks and tests
	@$(BIN)/python -m pytest -m "not drill" --numprocesses 2 --dist loadgroup \
	    --no-loadscope-reorder --durations 25 --durations-min 15

test-drills: test-setup ## kills, whole builds and months, the jobs' commands, erasure
	@$(BIN)/python -m pytest -m drill

format: install ## write code as the checks want it
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@$(BIN)/deno lint --quiet --fix
	@$(BIN)/deno fmt --quiet
	@$(BIN)/sqlfluff fix --nocolor $(SQL_PATHS)

docs: up ## models, columns, lineage and freshness as pages
	@$(BIN)/lakehouse docs

bench: install ## how fast it is, under an hour (docs/performance.md)
	@$(BIN)/uv sync --locked --quiet --compile-bytecode --group bench
	@$(BIN)/python -m bench

soak: install ## hours of faults (see tests/soak.py)
	@$(BIN)/python -m tests.soak --kills 20
	@$(BIN)/python -m tests.soak

clean: ## stop the workspace and remove it with its data, and all that is built
	@if [ -x $(BIN)/lakehouse ]; then $(BIN)/lakehouse down; fi
	@rm -rf .lakehouse $(VENV) target logs .pytest_cache .mypy_cache .ruff_cache
