# Every target is one command that works by itself, and CI runs the same ones. `make` alone lists them.
SHELL := bash
CARGO ?= cargo
.DEFAULT_GOAL := help
.PHONY: help up build check test chaos-wire lint docs tutorial fuzz registry e2e days profiles older samples addons on endurance chaos bench airplane dist lab lab-check lab-clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ## from this checkout to a prediction: program, engine, bundle where nothing can be pulled, cluster (ARGS="--port 9000")
	@scripts/up.sh $(ARGS)

build: ## the program, target/release/quickstart
	$(CARGO) build --release --locked

check: ## does it compile?
	$(CARGO) check --all-targets --locked

test: ## all tests that need neither Docker nor a network
	$(CARGO) test --locked

chaos-wire: ## seeded faults at the wire, a table of what came of them (SEEDS=300; CHAOS_SEED=n repeats one)
	CHAOS_SEEDS=$${SEEDS:-300} $(CARGO) test --locked --test it chaos::campaign -- --ignored --exact --nocapture

lint: ## format, clippy, shellcheck
	@scripts/lint.sh

docs: ## write docs/troubleshooting.md out of the failure rules; check commands, links, IDs and paths of all documents
	QUICKSTART_WRITE_DOCS=1 $(CARGO) test --locked --test it docs::troubleshooting::the_page
	$(CARGO) test --locked --test it docs::

tutorial: ## every command of the tutorial and the README on a cluster of its own (5 minutes)
	@scripts/docs.sh

fuzz: ## feed every parser with mutations, each for SECONDS=60 (needs cargo-fuzz)
	@scripts/fuzz.sh $(or $(SECONDS),60) $(TARGETS)

registry: build ## bundles out of a real container registry on 127.0.0.1 (Debian's docker-registry)
	@scripts/registry.sh

e2e: ## the real thing on the lab's bundle: up, status, predict, second up, down, with assertions
	@scripts/e2e.sh

days: ## the days after up on the lab: sleep, engine restart, ageing certificates, two clusters, resets, no trace (8 minutes)
	@scripts/days.sh

profiles: build ## serverless to raw and back on one real cluster, killed half-way, with a model of the user's (6 minutes)
	@PROFILES_PROGRAM=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart scripts/profiles.sh

older: build ## version set kserve-0.15 on a real cluster, both profiles (4 minutes; first the lab builds its bundle: 6 minutes more)
	@OLDER_PROGRAM=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart scripts/older.sh

samples: build ## every sample that the lab can run, proven on a cluster of its own (12 minutes; NAMES="canary graph")
	@SAMPLES_PROGRAM=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart scripts/samples.sh $(NAMES)

on: build ## a cluster that quickstart did not make, with cert-manager in it: up --on, prediction, down --on, what was there is there (6 minutes)
	@ON_PROGRAM=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart scripts/on.sh

addons: build ## the add-ons on a cluster of its own: kubectl top, Prometheus and its alerts, a namespace that refuses what it must (4 minutes)
	@ADDONS_PROGRAM=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart scripts/addons.sh

endurance: ## 5000 predictions through dying pods, API server, node and engine, mapped and by tunnel (20 minutes)
	@ENDURANCE_REQUESTS=$${REQUESTS:-5000} ENDURANCE_ENGINE=1 scripts/forward-endurance.sh

chaos: ## faults on the lab's cluster, each with its expected outcome and an up that must converge (SLICE=1/4, FAULTS="…")
	@scripts/chaos.sh

bench: ## up against the documented serial sequence on the same images (BENCH_RUNS=1)
	@scripts/bench.sh

airplane: ## serve and up --join while every packet that would leave this machine is counted and rejected (root, 4 minutes)
	@scripts/airplane.sh

dist: ## a static program with licence, manual page and completions as target/dist/*.tar.gz, and SHA256SUMS (needs musl-tools)
	@scripts/dist.sh

lab: build ## build the whole stack from source and write the bundle
	@QUICKSTART_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart lab/lab.sh all

lab-check: build ## list how the lab's manifests differ from the pinned ones
	@QUICKSTART_BIN=$${CARGO_TARGET_DIR:-$(CURDIR)/target}/release/quickstart lab/lab.sh check

lab-clean: ## remove what the lab built
	@lab/lab.sh clean
