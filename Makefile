# Loam's commands. `make` alone lists them.
#
# Settings are environment variables: LOAM_STATE_DIR, LOAM_HTTPS_PORT, LOAM_HTTP_PORT, LOAM_DOMAIN, LOAM_RUNTIME
# (deploy/env/loam.env.example has all of them with their meaning).

SHELL := /bin/bash
BIN := .venv/bin
PYTEST_ARGUMENTS ?=

.DEFAULT_GOAL := help
.PHONY: help environment up down reset doctor check fix test ci bench

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

environment:
	@deploy/bootstrap

up: environment ## Start everything on this machine and show a tenant that is ready to use
	@$(BIN)/loam up

down: environment ## Stop everything; all data stays
	@$(BIN)/loam down

reset: environment ## Stop everything and remove all data (asks first)
	@$(BIN)/loam reset

doctor: environment ## Check this machine and say how to mend what is wrong
	@$(BIN)/loam doctor

check: environment ## Lint, formats, types, layers, generated files: seconds
	@$(BIN)/ruff check --quiet
	@$(BIN)/ruff format --check --quiet
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-logo
	@$(BIN)/python -m deploy.generate --check

fix: environment ## Format, mend what can be mended, write generated files
	@$(BIN)/ruff check --quiet --fix || true
	@$(BIN)/ruff format --quiet
	@$(BIN)/python -m deploy.generate

test: environment ## Every test, against real services in containers
	@$(BIN)/python -m deploy.local.docker_engine
	@$(BIN)/pytest $(PYTEST_ARGUMENTS)

ci: check test ## What the pipeline runs

bench: environment ## Measure what is promised, and print the machine with it
	@$(BIN)/python -m tests.bench
