# The commands of the house. Each makes what it needs: nothing else has to be typed before.
.PHONY: help venv demo playground lab lab-shell lab-power test lint bench torture
SHELL := /bin/sh
PYTEST_ARGS ?=
# Most tests wait for processes: three at a time keep two cores busy.
TEST_JOBS ?= 3
PY := .venv/bin/python

help:
	@echo "make demo     the main job on real processes: protect, lose the source, go on, come back (about 90 s)"
	@echo "make playground  the demo's hosts left running for you to try dtam on, until Ctrl-C"
	@echo "make lab      a real domain with controllers, members, BIND and clients until Ctrl-C (as root); it says what to try"
	@echo "make lab LAB_HOSTS=windows  the same with two simulated Windows servers, and what to type to protect one by the other"
	@echo "make lab LAB_HOSTS=sql  the same with a simulated SQL Server on alpha and beta: docs/tutorial/sql-server.md"
	@echo "make lab-power HOST=winalpha POWER=off  takes a host's power in the running lab; POWER=on gives it back"
	@echo "make lab-shell HOST=client  a shell on a host of the running lab; CMD='klist' runs that instead"
	@echo "make test     every test that this machine can run; PYTEST_ARGS='-k oplog' goes to pytest"
	@echo "make lint     ruff, mypy, import contracts"
	@echo "make bench    measurements (docs/benchmarks.md)"
	@echo "make torture  the seeded tests for as long as asked: TORTURE_MINUTES=30 DTAM_SIMULATION_SCHEDULES=100000"
	@echo "make venv     only the virtual environment"

venv:
	@sh packaging/bootstrap.sh run

demo:
	@sh packaging/system-packages.sh capture
	@sh packaging/bootstrap.sh run
	@$(PY) -m demo $(DEMO_ARGS)

playground:
	@sh packaging/system-packages.sh capture
	@sh packaging/bootstrap.sh run
	@$(PY) -m demo.playground

lab:
	@sh packaging/system-packages.sh test
	@sh packaging/bootstrap.sh dev
	@$(PY) -m tests.lab up $(LAB_HOSTS)

lab-shell:
	@$(PY) -m tests.lab shell $(or $(HOST),client) $(if $(CMD),'$(subst ','\'',$(CMD))')

lab-power:
	@$(PY) -m tests.lab power $(HOST) $(POWER)

test:
	@sh packaging/system-packages.sh test
	@sh packaging/bootstrap.sh dev
	PYTHONDONTWRITEBYTECODE= $(PY) -m pytest -n $(TEST_JOBS) $(PYTEST_ARGS)

lint:
	@sh packaging/bootstrap.sh dev
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/mypy
	.venv/bin/lint-imports

bench:
	@sh packaging/system-packages.sh test
	@sh packaging/bootstrap.sh dev
	$(PY) -m tests.benchmarks $(BENCH_ARGS)

torture:
	@sh packaging/system-packages.sh test
	@sh packaging/bootstrap.sh dev
	TORTURE_MINUTES=$${TORTURE_MINUTES:-30} DTAM_SIMULATION_SCHEDULES=$${DTAM_SIMULATION_SCHEDULES:-100000} $(PY) -m pytest tests/simulation tests/faults tests/properties tests/lab/test_fileserver_story.py tests/conformance/test_sql_planted.py --timeout=0 $(PYTEST_ARGS)
