# Everything this project can do goes through here; `make` alone lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
RUNNABLE := $(VENV)/.runnable
BUNDLE := bridge/dist/fastproxy-bridge.cjs
RELEASE := .venv-release
DOCS := .venv-docs
# with the extras: without them pip takes the newest of a package that another asks for with one, and refuses it
LOCK := $(BIN)/uv pip compile -q --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header --no-strip-extras
NPM_CI := npm ci --no-audit --no-fund --silent

.DEFAULT_GOAL := help

help: ## list what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1|\2/' | column -t -s '|'

# $(1): the folder of the environment
define python_for
$(PYTHON) -c 'import sys; sys.exit("Python 3.11, 3.12 or 3.13 is needed, and $(PYTHON) is %d.%d (try: make PYTHON=python3.12)" % sys.version_info[:2] if not (3, 11) <= sys.version_info[:2] <= (3, 13) else 0)'
@test -x $(1)/bin/python || $(PYTHON) -m venv $(1)
endef
PIP := $(BIN)/python -m pip install -q --disable-pip-version-check
# without build isolation, which would fetch a build backend that no lock file knows
define install_ourselves
@$(PIP) --require-hashes -r requirements-build.lock
@$(PIP) --no-build-isolation --no-deps -e .
endef

# what running takes: no development tool, and the bridge only where there is a claude to bridge to
$(RUNNABLE): requirements.lock pyproject.toml
	@$(call python_for,$(VENV))
	@echo "installing (once, a minute or so)"
	@test -e $(READY) || $(PIP) --require-hashes -r requirements.lock
	$(install_ourselves)
	@if command -v claude >/dev/null && command -v npm >/dev/null; then $(MAKE) -s bridge || echo "the bridge to the claude CLI was not built; all else works"; fi
	@touch $@

$(READY): requirements-dev.lock pyproject.toml
	@$(call python_for,$(VENV))
	@echo "installing what development takes (once, a minute or two)"
	@$(PIP) --require-hashes -r requirements-dev.lock
	$(install_ourselves)
	@if command -v npm >/dev/null; then $(MAKE) -s bridge || echo "the bridge to the claude CLI was not built; all else works"; fi
	@touch $@ $(RUNNABLE)

setup: $(READY) ## install everything into .venv, development tools too

run: $(RUNNABLE) ## start the proxy on http://127.0.0.1:4000/v1
	@exec $(BIN)/fastproxy serve $(ARGS)

bridge: $(BUNDLE) ## build the bridge to the claude CLI (needs Node.js 20)

$(BUNDLE): bridge/package-lock.json bridge/build.mjs $(filter-out %.test.ts,$(wildcard bridge/src/*.ts))
	@cd bridge && { test -d node_modules || $(NPM_CI); } && npm run --silent build

wheel: $(RUNNABLE) ## build wheel and sdist into dist/, the same to the byte each time
	@if command -v npm >/dev/null; then $(MAKE) -s bridge; fi
	$(BIN)/python -m hatchling build -t sdist -t wheel

executable: ## build dist/fastproxy: one file that needs no Python (a minute)
	@if command -v npm >/dev/null; then $(MAKE) -s bridge; fi
	@$(MAKE) -s dist/fastproxy

executable-test: $(READY) executable ## run the tests against dist/fastproxy in place of this checkout
	FASTPROXY_TEST_EXECUTABLE=$(CURDIR)/dist/fastproxy $(BIN)/pytest tests/release/test_executable.py tests/integration

sbom: $(READY) ## write what is shipped as CycloneDX: dist/*.cdx.json
	@mkdir -p dist
	$(BIN)/cyclonedx-py requirements --output-reproducible --pyproject pyproject.toml --mc-type application -o dist/fastproxy.cdx.json requirements.lock
	cd bridge && npm sbom --package-lock-only --omit dev --sbom-format cyclonedx > ../dist/fastproxy-bridge.cdx.json

audit: $(READY) ## ask for known vulnerabilities in what is locked (needs the Internet)
	$(BIN)/pip-audit --strict --disable-pip --require-hashes -r requirements-dev.lock -r requirements-executable.lock
	cd bridge && npm audit
	cd tests/integration/node && npm audit

# in an environment with what runs and what builds, and nothing that an import could pull in besides
$(RELEASE)/.ready: requirements.lock requirements-executable.lock
	@$(call python_for,$(RELEASE))
	@echo "installing what builds a release (once, half a minute)"
	@$(RELEASE)/bin/python -m pip install -q --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	@$(RELEASE)/bin/python -m pip install -q --disable-pip-version-check --no-compile --require-hashes -r requirements-executable.lock
	@touch $@

dist/fastproxy: $(RELEASE)/.ready $(shell find fastproxy release -type f -not -name '*.pyc') $(wildcard $(BUNDLE))
	$(RELEASE)/bin/python -m PyInstaller --noconfirm --log-level WARN --workpath build/executable release/fastproxy.spec

format: $(READY) ## format the code
	$(BIN)/ruff format -q .
	$(BIN)/ruff check -q --fix .

check: lint ## format, lint, imports, types, unit tests (under a minute)
	$(BIN)/pytest tests/unit -m "not slow"

lint: $(READY) ## format, lint, imports, types
	$(BIN)/ruff format --check -q .
	$(BIN)/ruff check -q .
	$(BIN)/lint-imports --no-cache >/dev/null || $(BIN)/lint-imports --no-cache
	$(BIN)/mypy
	@if test -d bridge/node_modules; then cd bridge && npm run --silent lint && npm run --silent typecheck; fi

test: $(READY) ## all tests that this machine can run
	@if test -d bridge/node_modules; then cd bridge && npm test --silent; else echo "SKIPPED the bridge's own tests: no npm"; fi
	$(BIN)/pytest -rs -n auto --dist loadfile

fuzz: $(READY) ## ten thousand hostile requests and more (minutes)
	FASTPROXY_FUZZ=long $(BIN)/pytest tests/fuzz -s --timeout 900

chaos: $(READY) ## a minute of faults: many clients, failing providers, a Redis that dies
	FASTPROXY_CHAOS=long $(BIN)/pytest tests/chaos --timeout 300

docs: $(READY) ## write anew what docs/ holds of the code: API, configuration, failure modes
	$(BIN)/python -m testkit.contract
	$(BIN)/python -m testkit.failure_page
	$(BIN)/python -m testkit.configuration_page
	$(BIN)/python -m testkit.metrics_page
	$(BIN)/python -m testkit.readme_figures

docs-site: $(DOCS)/.ready ## build the guides as a site into build/site; a broken link is an error
	@NO_MKDOCS_2_WARNING=1 $(DOCS)/bin/mkdocs build

$(DOCS)/.ready: requirements-docs.lock
	@$(call python_for,$(DOCS))
	@$(DOCS)/bin/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements-docs.lock
	@touch $@

docs-test: $(READY) ## try every command of the guides in clean checkouts (minutes)
	$(BIN)/python -m testkit.guides

bench: $(READY) ## measure against the bare relay and the direct call (13 minutes; PART=streaming, ARGS=--quick)
	$(BIN)/pytest $(if $(PART),bench/test_$(PART).py,bench) -o addopts="--strict-markers --import-mode=importlib" --timeout 900 -q -s $(ARGS)

compare: $(READY) ## measure nginx, Envoy, LiteLLM and Portkey beside it (8 minutes)
	$(BIN)/python -m bench.fetch_gateways
	$(BIN)/python -m bench.compare $(ARGS)

performance: $(READY) ## write docs/performance.md and the README's figures anew from bench/results
	$(BIN)/python -m bench.performance
	$(BIN)/python -m testkit.readme_figures

image: ## build the container images (Docker, Podman or buildah; BASES=stand-in without a registry)
	infra/image/build.sh $(ARGS)

image-test: $(READY) image ## build the container images, and run them as docs/docker.md says
	FASTPROXY_TEST_IMAGES=1 $(BIN)/pytest tests/image -s --timeout 120

screenshots: $(READY) ## take the pictures of the status page anew (needs Chromium, two minutes)
	$(BIN)/python -m testkit.screenshots

lock: $(READY) ## renew the lock files
	$(LOCK) --all-extras pyproject.toml -o requirements.lock
	$(LOCK) --all-extras --group dev pyproject.toml -o requirements-dev.lock
	$(LOCK) --group build -o requirements-build.lock
	$(LOCK) --group executable -c requirements.lock -o requirements-executable.lock
	$(LOCK) --group docs -o requirements-docs.lock

clean: ## remove what was made
	rm -rf $(VENV) $(RELEASE) $(DOCS) dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis .benchmarks bridge/dist

.PHONY: help setup run screenshots bridge wheel executable executable-test sbom audit format check lint test fuzz chaos docs docs-site docs-test bench compare performance image image-test lock clean
