# The words that people and CI use. `make lab` and `make test` start from a fresh clone; the rest is made on the way.
PYTHON ?= python3
LAB := .lab
DOCKER_LAB := $(HOME)/.cache/broker-py/containers/docker-lab
TESTED := $(wildcard tests/unit tests/mutations tests/simulation tests/integration)

export PYTHON PORT_BASE
export LAB_DIR := $(CURDIR)/$(LAB)
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export LC_ALL := C.UTF-8

.NOTPARALLEL:
.DEFAULT_GOAL := help
.PHONY: help
help:
	@echo "make lab         a cluster on this machine: 2 name servers, 2 masters, 2 slaves (PORT_BASE=20000 moves it)"
	@echo "make lab-down    stop it; make lab-clean removes its data too"
	@echo "make docker-lab  the 2m-2s cluster on two hosts that are containers; make docker-lab-down removes it"
	@echo "make test        all checks: make format-check lint types test-python one after the other"
	@echo "make test-unit   or test-integration: some of the tests"
	@echo "make molecule    the roles on containers with systemd, all scenarios; make molecule-SCENARIO: one of them"
	@echo "make bench       what the hot paths cost; make build: wheel and collection; make docs: what is generated"

.venv/%.stamp: pyproject.toml
	@.ci/venv $*

# ---- the lab

.PHONY: lab lab-down lab-clean prerequisites
lab: prerequisites .venv/deploy.stamp
	@ansible-playbook site.yml playbooks/lab.yml -i inventories/lab
	@python playbooks/lab/tour.py $(LAB)/cluster.json

prerequisites:
	@.ci/venv --check
	@$(PYTHON) playbooks/lab/prerequisites.py $(LAB)

lab-down:
	@if [ -d $(LAB)/conf ]; then ansible-playbook playbooks/stop.yml -i inventories/lab; else echo "There is no lab here."; fi

lab-clean: lab-down
	@rm -rf $(LAB)

# ---- the lab of containers, with the addresses of inventories/2m-2s-async

.PHONY: docker-lab docker-lab-down
docker-lab: .venv/containers.stamp
	@python molecule/shared/engine.py start
	@python molecule/shared/containers.py create docker-lab rocketmq-os1=192.168.56.11 rocketmq-os2=192.168.56.12
	@ansible-playbook site.yml -i inventories/2m-2s-async -i $(DOCKER_LAB)/connection.yml
	@python molecule/shared/tour.py docker-lab 2m-2s-async

docker-lab-down: .venv/containers.stamp
	@python molecule/shared/containers.py destroy docker-lab
	@python molecule/shared/engine.py stop

# ---- checks

.PHONY: test format format-check lint types test-python test-unit test-integration
test: format-check lint types test-python

format: .venv/dev.stamp
	@ruff format .
	@ruff check --fix .

format-check: .venv/dev.stamp
	@ruff format --check .

lint: .venv/dev.stamp
	@ruff check .
	@yamllint --strict .
	@ansible-lint

types: .venv/dev.stamp
	@mypy

test-python: .venv/dev.stamp
	@pytest $(TESTED)

test-unit: .venv/dev.stamp
	@pytest tests/unit

test-integration: .venv/dev.stamp
	@pytest tests/integration

# The hosts of these are containers; molecule/shared/engine.py says what is missing where there is no Docker engine.
.PHONY: molecule
molecule: .venv/dev.stamp
	@python molecule/shared/scenarios.py

molecule-%: .venv/dev.stamp
	@python molecule/shared/scenarios.py $*

# ---- products

.PHONY: bench docs build
bench: .venv/dev.stamp
	@python -m tests.bench.hot_paths

docs: .venv/dev.stamp
	@python tests/unit/ansible/role_readme.py
	@python -m tests.unit.cli.command_reference

build: .venv/dev.stamp
	@pip wheel --quiet --no-deps --wheel-dir dist .
	@ansible-galaxy collection build --force --output-path dist
