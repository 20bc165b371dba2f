# Copyright (c) 2026 edge.mesh contributors
# GNU General Public License v3.0 or later (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Set where bytecode isn't wanted; every start of an Ansible module then compiles its imports again.
unexport PYTHONDONTWRITEBYTECODE
# Go is looked for where its own installer puts it, too; what is on PATH comes first.
export PATH := $(CURDIR)/.venv/bin:$(PATH):/usr/local/go/bin:/usr/lib/go/bin:/snap/bin
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

PLAYBOOK := .venv/bin/ansible-playbook -i inventories/lab
RUN_TESTS := .venv/bin/python -m tests.runner
# the last two ask the running lab
BENCHMARKS := manifests mesh_ca remote_secret fleet xds_health join

.DEFAULT_GOAL := help
.PHONY: help setup lab lab-down test test-all bench lint unit sanity molecule pin clean

help: ## This list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

setup: ## Make .venv with what playbooks and tests need (the other targets do it by themselves)
	@tools/bootstrap.sh test

lab: ## Three KinD clusters, one mesh: build or fetch all it takes, set it up, prove it
	@tools/bootstrap.sh lab
	@.venv/bin/python -m tools.lab_host up
	@$(PLAYBOOK) site.yml
	@$(PLAYBOOK) verify.yml

lab-down: ## Take the lab away again (the cache of built images stays)
	@tools/bootstrap.sh lab
	@.venv/bin/python -m tools.lab_host up
	@$(PLAYBOOK) playbooks/destroy.yml; gone=$$?; .venv/bin/python -m tools.lab_host down && exit $$gone

test: ## What CI runs
	@tools/bootstrap.sh test
	@$(RUN_TESTS)

test-all: ## Every test suite
	@tools/bootstrap.sh test
	@$(RUN_TESTS) --all

bench: ## Measure against what a person would use instead; tables in docs/benchmarks
	@tools/bootstrap.sh test
	@tools/bootstrap.sh bench
	@for bench in $(BENCHMARKS); do \
	    PYTHONPATH=.venv/collections .venv/bin/python -m benchmarks.$$bench || exit 1; \
	done

lint: ## Style and types: ruff, mypy, yamllint, ansible-lint, shellcheck, changelog, documentation
	@tools/bootstrap.sh test
	@$(RUN_TESTS) --only lint

unit: ## Unit tests
	@tools/bootstrap.sh test
	@$(RUN_TESTS) --only unit

sanity: ## ansible-test sanity
	@tools/bootstrap.sh test
	@$(RUN_TESTS) --only sanity

molecule: ## The Molecule scenarios: two KinD clusters of their own, made, repaired, retired and taken away again
	@tools/bootstrap.sh test
	@$(RUN_TESTS) --only molecule --only molecule-repair

pin: ## Resolve requirements/*.in anew into *.txt with hashes (needs uv)
	@for level in lab test bench; do \
	    uv pip compile --quiet --upgrade --universal --python-version 3.12 --generate-hashes --no-header --no-annotate \
	        --no-emit-index-url --no-emit-find-links requirements/$$level.in -o requirements/$$level.txt || exit 1; \
	done

clean: ## Remove .venv, caches and test output of this checkout (not the lab, not its state)
	rm -rf .venv .venv-bench .cache .ansible .mypy_cache .pytest_cache .ruff_cache .hypothesis tests/output
	find . -path ./.git -prune -o -name __pycache__ -type d -exec rm -rf {} +
