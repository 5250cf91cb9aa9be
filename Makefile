# Meter costing on Apache Flink. `make help` lists the targets.
PYTHON   ?= python3.11
MVN      ?= mvn
VENV     := .venv
ENDPOINT := .venv-endpoint
ORACLE   := .venv-oracle
CLUSTER  := .venv-flink
AUDIT    := .venv-audit
PEERS    := .venv-peers
BILLS    := .venv-bills
JAR      := build/flink-dependencies.jar
JAVA     := $(shell find flink_job/java -type f 2>/dev/null)
PROMTOOL := build/promtool
ACTIONLINT := build/actionlint
BIN      := $(VENV)/bin
ARGS     ?=
# A year of readings at UTC+1 (the signs of Etc/ zones are reversed); the tariffs are valid for another year.
YEAR     := --readings sample_data/year.csv.gz --timezone Etc/GMT-1 --any-date
ENV      ?= dev

.DEFAULT_GOAL := help
.PHONY: help bills setup run test unit fuzz lint format lock clean package rehearse synth deploy destroy audit chaos bench

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

bills: $(BILLS)/.ready ## Bill a sample year, compare tariffs, draw charts (a minute; needs only Python)
	@$(BILLS)/bin/python -m flink_job compare $(YEAR) --tariffs sample_data/tariffs --out build/bills/tariffs.csv \
	  --chart build/bills/tariffs.png
	@$(BILLS)/bin/python -m flink_job rate $(YEAR) --tariff sample_data/tariffs/eur-demand.json --out build/bills \
	  --chart build/bills/bills.png

setup: $(VENV)/.ready $(ENDPOINT)/.ready $(JAR) ## Install pinned dependencies, build the jar (other targets do it if needed)

run: setup ## Run the job on sample readings at a local AWS endpoint (ARGS="--help")
	@$(BIN)/python -m deploy.local run $(ARGS)

package: setup ## Build and check build/flink-app.zip for Managed Flink (reproducible)
	@$(BIN)/python -m deploy.stream_job.package

rehearse: package $(CLUSTER)/.ready ## Run the package on a real Flink cluster without this project
	@$(BIN)/python -m deploy.rehearsal.rehearse

synth: package ## Write CloudFormation templates to build/cdk.out, checked by cdk-nag (no AWS account)
	@$(BIN)/python -m deploy.app $(if $(filter command environment,$(origin ENV)),$(ENV))

deploy: package ## Deploy into an AWS account, start the job, check alarms, alerts and costs (ENV=dev)
	@$(BIN)/python -m deploy up --env $(ENV) $(ARGS)

destroy: $(VENV)/.ready ## Remove an environment with its data (ENV=dev); refused if it retains data
	@$(BIN)/python -m deploy down --env $(ENV) $(ARGS)

chaos: package $(CLUSTER)/.ready ## Inject faults and compare all bills with an oracle (an hour; ARGS="task_manager" for one)
	@$(BIN)/python -m tests.chaos --write $(ARGS)

bench: setup $(PEERS)/.ready ## Compare speed with plain SQL, a naive job and peers (hours; ARGS="--readings 300000 --runs 2")
	@$(BIN)/python -m tests.bench --write $(ARGS)

test: setup $(ORACLE)/.ready $(CLUSTER)/.ready $(PROMTOOL) $(ACTIONLINT) lint ## Lint, check types, run all tests (ARGS="-k name" to select)
	@$(BIN)/python -m pytest -n 2 --no-loadscope-reorder $(ARGS)

unit: $(VENV)/.ready ## Run the unit tests, which need no JVM
	@$(BIN)/python -m pytest tests/unit $(ARGS)

fuzz: $(VENV)/.ready ## Fuzz all readers for minutes (METERING_FUZZ=50000 for longer)
	@METERING_FUZZ=$${METERING_FUZZ:-5000} $(BIN)/python -m pytest tests/unit/test_fuzz.py $(ARGS)

lint: $(VENV)/.ready ## Check formatting, lint rules and types
	@$(BIN)/ruff format --check --quiet . || { echo "run 'make format'"; exit 1; }
	@$(BIN)/ruff check --quiet .
	@$(BIN)/python -m pytest -q tests/unit/docs/test_words.py
	@$(BIN)/mypy

format: $(VENV)/.ready ## Format the code and apply safe lint fixes
	@$(BIN)/ruff format --quiet . && $(BIN)/ruff check --fix --quiet .

audit: $(VENV)/.ready $(AUDIT)/.ready ## Check deployed packages for known vulnerabilities
	@$(BIN)/python -m deploy.release.audit

lock: $(VENV)/.ready ## Update all lock files from requirements/*.in
	@$(BIN)/python -m pip install --quiet uv
	@for f in base app audit functions dev bills endpoint flink oracle peers; do \
	  $(BIN)/uv pip compile --quiet --python-version 3.11 --generate-hashes --no-header \
	    --no-emit-find-links --no-emit-index-url requirements/$$f.in -o $$([ $$f = base ] && echo requirements.txt || echo requirements/$$f.txt) || exit 1; done

clean: ## Remove build and run outputs (not the virtual environments)
	rm -rf build .pytest_cache .mypy_cache .ruff_cache .hypothesis

# A virtual environment is complete if its stamp exists; an incomplete one is created again.
define make_environment
@command -v $(PYTHON) >/dev/null || { echo "Python 3.11 not found: install it or call make with PYTHON=/path/to/python3.11"; exit 1; }
@echo "Setting up $(1) from $(2) (once, up to two minutes) ..."
@rm -rf $(1) && $(PYTHON) -m venv $(1)
@$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes $(3) -r $(2)
@touch $(1)/.ready
endef

# Compiling all modules would take longer than billing the year.
$(BILLS)/.ready: requirements/bills.txt
	$(call make_environment,$(BILLS),$<,--no-compile)

$(VENV)/.ready: requirements/dev.txt
	$(call make_environment,$(VENV),$<)

$(ENDPOINT)/.ready: requirements/endpoint.txt
	$(call make_environment,$(ENDPOINT),$<)

$(CLUSTER)/.ready: requirements/flink.txt
	$(call make_environment,$(CLUSTER),$<)

$(AUDIT)/.ready: requirements/audit.txt
	$(call make_environment,$(AUDIT),$<)

$(PEERS)/.ready: requirements/peers.txt
	$(call make_environment,$(PEERS),$<)

$(ORACLE)/.ready: requirements/oracle.txt
	$(call make_environment,$(ORACLE),$<)

# Prometheus's rule tester, an independent reference in tests; without it those tests are skipped.
$(PROMTOOL):
	@mkdir -p build/prometheus
	@if command -v promtool >/dev/null; then ln -sf "$$(command -v promtool)" $@; \
	elif command -v apt-get >/dev/null; then \
	  echo "Fetching promtool from Debian's package prometheus (once) ..."; \
	  { cd build/prometheus && { apt-get download -qq prometheus 2>/dev/null || \
	    { apt-get update -qq && apt-get download -qq prometheus; } 2>/dev/null; } && \
	    dpkg-deb -x prometheus_*.deb . && cp usr/bin/promtool ../promtool && rm -rf ../prometheus; } || \
	    echo "promtool could not be fetched: its tests are skipped"; \
	else echo "no promtool and no apt-get here: its tests are skipped"; fi

# Checker of GitHub workflows; without it its test is skipped.
$(ACTIONLINT):
	@mkdir -p build
	@if command -v actionlint >/dev/null; then ln -sf "$$(command -v actionlint)" $@; \
	elif command -v go >/dev/null; then \
	  echo "Building actionlint (once) ..."; \
	  GOBIN="$$PWD/build" go install github.com/rhysd/actionlint/cmd/actionlint@v1.7.12 2>/dev/null || \
	    echo "actionlint could not be built: its test is skipped"; \
	else echo "no actionlint and no Go here: its test is skipped"; fi

$(JAR): pom.xml $(JAVA)
	@command -v $(MVN) >/dev/null || { echo "Maven not found: install it (Debian: apt-get install maven)"; exit 1; }
	@echo "Building the jar of connectors and operators, and testing its operators (once) ..."
	@$(MVN) --quiet --batch-mode --no-transfer-progress package
	@touch $@
