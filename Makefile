# Verbs only; bare `make` lists them.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo test check dev up down build deploy bench token openapi clean

VENV := .venv
PYTHON := $(VENV)/bin/python
STACK := $(PYTHON) infra/local/stack.py
TOOLS := target/tools
# Read from where SAM reads it, so that what is built is what is deployed.
ARCH = $(shell sed -n 's/^[^#]*"Architecture=\(.*\)".*/\1/p' infra/samconfig.toml)
export CARGO_TERM_PROGRESS_WHEN ?= auto

help: ## List the verbs
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: up ## Set everything up and walk the main job: a real picture, a real key
	@$(PYTHON) infra/local/demo

test: $(VENV)/local ## Run every test: rules, handlers on fakes, contracts and the deployed stack
	@infra/local/test.sh

check: $(VENV)/check $(TOOLS)/bin/cargo-machete $(TOOLS)/bin/cargo-deny ## Check format, lints, docs, dependencies and template
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	$(TOOLS)/bin/cargo-machete functions shared infra
	cargo fetch --locked --quiet
	$(TOOLS)/bin/cargo-deny --offline check --hide-inclusion-graph bans licenses sources
	$(VENV)/bin/ruff check --quiet infra
	$(VENV)/bin/ruff format --quiet --check infra
	$(PYTHON) infra/local/lint.py
	@echo "Everything is in order."

dev: up ## Start the stack, then rebuild and redeploy what changes
	@$(STACK) watch

up: $(VENV)/local ## Start the stack in the background, with what is built now
	@echo "Building the functions (the first time takes some minutes)..."
	@cargo build --quiet --workspace --bins
	@$(STACK) up

down: $(VENV)/local ## Stop the stack
	@$(STACK) down

build: $(VENV)/deploy ## Build every function for Amazon Linux 2023 and the processor of infra/samconfig.toml
	PATH="$(CURDIR)/$(VENV)/deploy-tools/bin:$$PATH" cargo lambda build --release \
	  $$(for name in $$(ls functions | grep --invert-match README); do echo --package $$name; done) \
	  $(if $(filter x86_64,$(ARCH)),--x86-64,--arm64)

deploy: build ## Deploy to AWS with infra/samconfig.toml (ARGS="--guided" the first time)
	$(VENV)/deploy-tools/bin/sam deploy --template-file template.yaml --config-file infra/samconfig.toml $(ARGS)

bench: $(VENV)/local ## Measure what is promised and compare with the committed table (QUICK=1, ACCEPT=1, DEV=1, ONLY=starts, OF="usage list")
	@echo "Building the bench (the first time takes some minutes)..."
	@cargo build --quiet $(if $(DEV),,--release) --workspace --bin bench
	@target/$(if $(DEV),debug,release)/bench \
	  $(if $(QUICK),--quick) $(if $(ACCEPT),--accept) $(if $(ONLY),--only $(ONLY)) $(if $(DEV),--dev) \
	  $(addprefix --function ,$(OF))

token: up ## Print a session token of the laptop's issuer (FOR=user_ann PLAN=pro)
	@target/debug/consigne token --user $(or $(FOR),user_ann) --plan $(or $(PLAN),pro)

openapi: ## Write openapi.json from the handlers' own types
	@cargo run --quiet --package consigne-testkit --bin openapi
	@echo "Wrote openapi.json."

clean: ## Stop the stack and remove everything that was built or installed here
	@if [ -x $(PYTHON) ]; then $(STACK) down; fi
	rm -rf target $(VENV)

# What the verbs stand on. Each installs once, and anew when its pins change.

$(VENV)/bin/python:
	@echo "Making a virtual environment..."
	@python3 -m venv $(VENV)

$(VENV)/local: infra/local/requirements.txt | $(VENV)/bin/python
	@echo "Installing the laptop stack (once, about half a minute)..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(VENV)/check: infra/local/requirements-check.txt $(VENV)/local
	@echo "Installing the linters (once)..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --requirement infra/local/requirements.txt --requirement $<
	@touch $@

$(VENV)/deploy: infra/requirements-deploy.txt | $(VENV)/bin/python
	@echo "Installing the tools of deployment (once, about a minute)..."
	@python3 -m venv $(VENV)/deploy-tools
	@$(VENV)/deploy-tools/bin/python -m pip install --quiet --disable-pip-version-check --requirement $<
	@touch $@

$(TOOLS)/bin/cargo-machete:
	@echo "Building cargo-machete (once, about a minute)..."
	@cargo install --quiet --locked --root $(TOOLS) --version 0.9.2 cargo-machete

$(TOOLS)/bin/cargo-deny:
	@echo "Building cargo-deny (once, some minutes)..."
	@cargo install --quiet --locked --root $(TOOLS) --version 0.20.2 --no-default-features cargo-deny
