SHELL := /bin/bash
.SHELLFLAGS := -Eeuo pipefail -c
.DEFAULT_GOAL := help

# Node comes from the npm registry (package.json, optionalDependencies): Debian's own is too old to build with.
ARCH := $(if $(filter aarch64 arm64,$(shell uname -m)),arm64,x64)
export PATH := $(CURDIR)/node_modules/.bin:$(CURDIR)/node_modules/node-linux-$(ARCH)/bin:$(PATH)

SOURCES := $(shell find src migrations scripts sample -type f) build.ts package.json

.PHONY: help build build-linux release deb lint format test test-unit faults mutants bench demo demo-down migrate clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

node_modules/.installed: package.json package-lock.json
	scripts/dev/install-packages npm
	scripts/dev/install-modules
	touch $@

dist/draupnir: node_modules/.installed $(SOURCES)
	node build.ts

build: dist/draupnir ## build the executable dist/draupnir

build-linux: deb ## build what `vagrant up` installs: the executable for this Linux, and its Debian package

release: node_modules/.installed ## build all that is released into dist/release, for amd64 and arm64; from a clean tree
	scripts/dev/install-packages release
	scripts/dev/release

deb: dist/draupnir ## build the Debian package dist/draupnir_VERSION_ARCH.deb
	scripts/dev/install-packages deb
	scripts/dev/build-deb

lint: node_modules/.installed ## check types, style, import rules, bash and Perl
	scripts/dev/install-packages lint
	scripts/dev/lint

format: node_modules/.installed ## rewrite sources in the house format
	scripts/dev/install-packages lint
	prettier --write --log-level=warn .
	shfmt -i 2 -ci -bn -w scripts .ci/run .githooks bench/recipe.sh sample/certbot-deploy-hook vagrant packaging/debian/*.p*

test: dist/draupnir ## run all tests: unit, integration (real Postgres), e2e (btrfs, Postgres, sshd), host (the package under systemd); as root
	scripts/dev/install-packages test
	node spec/run/main.ts

test-unit: node_modules/.installed ## run the unit tests alone: seconds, no root
	scripts/dev/install-packages unit
	vitest run --project unit

faults: dist/draupnir ## try the whole matrix of faults (half an hour): a table, and tmp/faults/results.json; as root
	scripts/dev/install-packages test
	scripts/dev/fetch-postgres
	node spec/e2e/faults/run.ts

mutants: dist/draupnir ## change the program in 60 places, one at a time, and see whether a test fails (an hour); as root
	scripts/dev/install-packages test
	scripts/dev/fetch-postgres
	node spec/mutants/main.ts

bench: dist/draupnir ## measure speed and size against their targets: a table, and tmp/bench/results.json; as root
	scripts/dev/install-packages bench
	scripts/dev/fetch-postgres
	node bench/run.ts

demo: dist/draupnir ## run the main job on a sample database and leave a server and an instance to play with; as root
	scripts/dev/install-packages demo
	dist/draupnir quickstart

demo-down: dist/draupnir ## remove everything the demo made
	dist/draupnir quickstart --down

migrate: dist/draupnir ## bring the database of /etc/draupnir/config.toml up to date
	dist/draupnir migrate

clean: ## remove what was built and installed in this folder
	rm -rf dist tmp node_modules spec/postgres/node_modules
