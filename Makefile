# Needs Node 20 or later and npm to begin with; npm ci brings Node 24, which everything here runs on.
.DEFAULT_GOAL := help
.PHONY: help install demo up down test verify generate format golden bench chaos clean
SHELL := /bin/bash
export PATH := $(CURDIR)/node_modules/.bin:$(PATH)

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 12

install: node_modules/.installed ## dependencies, the local control plane and Redis (once)
	@hack/assets.sh >/dev/null

node_modules/.installed: package-lock.json
	npm ci --no-progress
	@touch $@

demo: install ## the main job, end to end; LIVE=1 with ANTHROPIC_API_KEY makes one real call instead
	@node hack/demo.ts

up: install ## the system in the background: make up [REPLICAS=2] [UPSTREAM=url], then: . .run/env
	@node hack/up.ts

down: ## stops it; data and logs stay in .run
	@[ ! -d .run ] || node hack/down.ts

test: install ## every test
	@hack/assets.sh postgres
	@hack/assets.sh faketime
	@node hack/test.ts

verify: install ## generated files up to date, format, lint, types, dead code
	node hack/generate-types.ts --check
	node hack/generate-reference.ts --check
	node hack/generate-chart.ts --check
	oxfmt --check .
	oxlint
	tsc -p .
	knip

generate: install ## types, reference pages, the chart's copies and hack/install, from the CRDs, the tables and the chart
	node hack/generate-types.ts
	node hack/generate-reference.ts
	node hack/generate-chart.ts

format: install ## formats the code
	oxfmt .

golden: install ## rewrites the golden files; review the diff
	@UPDATE_GOLDEN=1 node hack/test.ts test/policy

bench: install ## measures what docs/performance.md says
	@hack/assets.sh postgres
	@node bench/main.ts

chaos: install ## ten minutes of kills under load, and the books judged: make chaos [SECONDS=60] [SEED=2]
	@hack/assets.sh postgres
	@node test/chaos/main.ts $(or $(SECONDS),600) $(or $(SEED),1)

clean: down ## removes what was made here, also the data of make up; the cache of binaries stays
	rm -rf .run coverage node_modules
