"""A simulated Windows host for a file of tests, put back after each of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.hosts.winrm_laying import lay
from tests.conformance.pairs import laid_on
from tests.conformance.windows_stage import Stage
from tests.lab.windows.starting import windows_host


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with ExitStack() as stack:
        served = stack.enter_context(windows_host(tmp_path_factory.mktemp("windows")))
        yield Stage(served, *laid_on(served, stack))


@pytest.fixture
def stage(made: Stage) -> Iterator[Stage]:
    made.protect()
    yield made
    made.served.control.ask("heal")
    lay(made.caller)
    made.host.stop_service("files")
    made.host.remove_protection("p")
