# Needs Node 20 or later and npm to begin with; npm ci brings Node 24, which everything here runs on.
.DEFAULT_GOAL := help
.PHONY: help install demo up down image cluster-up cluster-down e2e test test-long test-programs verify generate format golden bench chaos attack fuzz release clean
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

help: ## this list
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 14

install: node_modules/.installed ## dependencies, a local API server and Redis (once)
	@hack/assets/assets.sh >/dev/null

# An older Node than 24 would let npm warn of every package that needs a newer one, so Node 24 is fetched first.
NODE = node@$(shell sed -n 's/^ *"node": "\([0-9.]*\)".*/\1/p' package.json)
node_modules/.installed: package-lock.json
	@[ "$$(node -p 'parseInt(process.versions.node)')" -ge 24 ] || run="npm exec --yes --package=$(NODE) --"; \
	  set -x; $$run npm ci --no-progress
	@touch $@

demo: install ## the main job, end to end: make demo [FULL=1], or one real call: LIVE=1 with ANTHROPIC_API_KEY
	@node hack/demo/demo.ts

up: install ## the system in the background, what dies is restarted: make up [REPLICAS=2] [UPSTREAM=url], then: . .run/env
	@node hack/run/up.ts

down: ## stops what make up started; data and logs stay in .run
	@[ ! -d .run ] || node hack/run/down.ts

image: install ## the container image of this tree, without pulling anything: a file in .run/images
	@hack/release/images.sh

cluster-up: install ## a cluster of one real node with the images of this tree: hack/cluster/kubectl get pods -A
	@hack/cluster/up.sh

cluster-down: ## ends that cluster, with everything in it
	@hack/cluster/down.sh

e2e: install ## the tests on a real node: make e2e [KEEP=1], or on a cluster of yours: E2E_CONTEXT=name E2E_IMAGES=registry
	@hack/cluster/e2e.sh

test: install test-programs ## every test but those on a node, property tests and loads in short forms
	@node hack/run/test.ts

test-long: install test-programs ## the same tests in full, then make chaos, attack, fuzz and e2e: before an issue is closed
	@TOLLGATE_TEST_LONG=1 node hack/run/test.ts
	@$(MAKE) chaos
	@$(MAKE) attack
	@$(MAKE) fuzz
	@$(MAKE) e2e

test-programs:
	@for part in control_plane postgres pgbouncer faketime prometheus helm kubeconform crds; do hack/assets/assets.sh $$part >/dev/null || exit 1; done

verify: install ## generated files up to date, format, lint, types, dead code
	node hack/generate/types.ts --check
	node hack/generate/reference.ts --check
	node hack/generate/chart.ts --check
	node hack/generate/licences.ts --check
	oxfmt --check .
	oxlint
	tsc -p .
	knip

generate: install ## types, reference pages, the chart's copies and hack/install, from the CRDs, the tables and the chart
	node hack/generate/types.ts
	node hack/generate/reference.ts
	node hack/generate/chart.ts
	node hack/generate/licences.ts

format: install ## formats the code
	oxfmt .

golden: install ## rewrites the golden files; review the diff
	@UPDATE_GOLDEN=1 node hack/run/test.ts test/unit/policy

bench: install ## measures the figures of docs/performance.md: make bench [ONLY=overhead,streams]
	@hack/assets/assets.sh postgres
	@node bench/main.ts

chaos: install ## kills processes under load for ten minutes and checks all spend: make chaos [SECONDS=60] [SEED=2]
	@hack/assets/assets.sh postgres
	@node test/system/chaos/main.ts $(or $(SECONDS),600) $(or $(SEED),1)

attack: install ## attacks the system as hostile callers and tenants would: make attack [SEED=2] [ONLY=name,...]
	@node test/system/attack/main.ts $(or $(SEED),1) $(ONLY)

fuzz: install ## random input for everything that reads from outside, for ten minutes: make fuzz [SECONDS=60] [SEED=2]
	@node test/system/fuzz/main.ts $(or $(SECONDS),600) $(or $(SEED),1)

release: install ## builds and tags what package.json's version says, and publishes nothing: make release [DRY_RUN=1]
	@hack/release/release.sh $(if $(DRY_RUN),--dry-run)

clean: down ## removes everything that make made here, also the data of make up, but not the cache of programs
	rm -rf .run coverage node_modules
