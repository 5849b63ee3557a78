# Two commands matter: `make run` and `make test`. Both install what they need.
.DEFAULT_GOAL := help
PYTHON := .venv/bin/python
LOCK := .venv/bin/pip-compile --quiet --generate-hashes --allow-unsafe --strip-extras --no-emit-index-url --no-emit-trusted-host \
	--no-emit-find-links
CODE := authsvc webhook tests
TESTS := $(PYTHON) -m pytest --durations 12
# Tests wait for servers and for each other more than they compute.
JOBS := $(shell echo $$((2 * $$(nproc))))
LIVE := $(TESTS) -n $$(nproc) --dist loadfile --no-loadscope-reorder tests/conformance/oci tests/live tests/load
UNIT := $(TESTS) -n $(JOBS) --dist loadfile --no-loadscope-reorder tests --ignore tests/live --ignore tests/load --ignore tests/conformance/oci

SERVER := --ignore tests/bench -m "not slow"

# Tests start hundreds of processes: what one of them has compiled is there for the others.
unexport PYTHONDONTWRITEBYTECODE

# Lines and branches that tests reach, also in the processes that they start. The floor only rises, here.
COVER := --cov --cov-report=term
FLOOR := 95.5

.PHONY: help run test check lint format unit unit-servers databases live coverage load bench offline manifests lock clean

help: ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 18

run: ## run the whole stack on this host; Ctrl-C stops it
	@deploy/install run
	@exec .venv/bin/authsvc up

test: .venv/test ## all tests: on SQLite, on PostgreSQL or MariaDB, and live with real clients
	@$(MAKE) --no-print-directory unit unit-servers live

check: lint test ## everything that must be green: format, lint, types, import contracts, tests

lint: .venv/test ## format, lint, types, import contracts
	.venv/bin/ruff format --check --quiet $(CODE)
	.venv/bin/ruff check --quiet $(CODE)
	.venv/bin/mypy --no-error-summary
	@.venv/bin/lint-imports --no-logo --config setup.cfg

t: .venv/test ## some tests, at once: make t T=tests/token/test_scope.py, or T="tests/token -k refresh"
	@$(PYTHON) -m pytest $(T)

dev: .venv/test ## API, pages and token endpoint with reload and debugger, directory and provider beside; no root, no nginx
	@exec $(PYTHON) -m tests.dev

seed: .venv/test ## put users, projects, members, robots, images and charts into what `make dev` runs
	@$(PYTHON) -m tests.dev seed

format: .venv/test ## format and mend what can be mended by machine
	.venv/bin/ruff check --fix --quiet $(CODE) || true
	.venv/bin/ruff format $(CODE)

unit: .venv/test ## everything but the live tests, on SQLite
	$(UNIT)

# What is the same on every database runs on SQLite only; what is about databases on both servers. Pages run there in one file, which
# asks for each of them.
unit-servers: .venv/test ## on servers of its own, one half on PostgreSQL and the other on MariaDB
	$(UNIT) $(SERVER) --database postgresql --half first
	$(UNIT) $(SERVER) --database mariadb --half second

databases: .venv/test ## everything on PostgreSQL, and everything on MariaDB
	$(UNIT) $(SERVER) --database postgresql
	$(UNIT) $(SERVER) --database mariadb

live: .venv/test ## the whole stack with real clients
	$(LIVE)

coverage: .venv/test ## how much of the code unit tests (on SQLite) and live tests reach together; takes half as long again
	$(UNIT) $(COVER)
	$(LIVE) --timeout 900 --cov-append $(COVER) --cov-fail-under $(FLOOR)

load: .venv/test ## minutes of everything at once, in peace and while processes are killed, on each database
	@for database in sqlite postgresql mariadb; do LOAD_SECONDS=300 $(PYTHON) -m pytest -rP tests/load --database $$database || exit 1; done

bench: .venv/test ## measure, and print a table
	$(PYTHON) -m tests.bench

offline: ## pack a release for hosts without a network into build/: docs/offline.md
	@deploy/offline/pack build

manifests: .venv/test ## Kubernetes' manifests for those without helm, from the chart
	@{ echo "# Made by make manifests from deploy/helm: one pod behind an ingress. Change names, or use the chart."; \
		.venv/bin/helm template tidegate deploy/helm/tidegate --namespace tidegate -f deploy/helm/examples/small.yaml; } \
		> deploy/kubernetes/tidegate.yaml

texts: .venv/test ## bring the catalogues of the pages' languages up to date with what the pages say
	@$(PYTHON) -m tests.ui.catalogues

lock: .venv/test ## choose the newest versions of all packages
	env -u PIP_FIND_LINKS $(LOCK) --upgrade -o deploy/requirements.lock setup.cfg deploy/build.in
	env -u PIP_FIND_LINKS $(LOCK) --upgrade --extra dev -o deploy/requirements-dev.lock setup.cfg deploy/build.in

.PHONY: .venv/test
.venv/test:
	@deploy/install test

clean: ## remove the virtual environment and caches; state stays in var/, what tests made once in ~/.cache/tidegate-tests
	rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache .coverage build *.egg-info
