"""The lab for the tests of this directory: one for the whole session, made when the first test asks for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from tests.conftest import require
from tests.lab.domain import Lab
from tests.lab.filestage import FileStage
from tests.lab.windows.starting import WindowsHost, windows_host

BESIDE = "10.53.0.11"
"""A further address of alpha, at which its engine is reached when the other one is taken over."""
OTHER_AUTHORITIES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""What clients would take from the environment of the tests."""
Told = Callable[[str, Mapping[str, object]], None]


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The session's lab. A test that changes what others see puts it back, or calls ``lab.reset()``."""
    require("lab")
    began_s = time.monotonic()
    made = Lab.up()
    sys.stdout.write(f"\nlab up in {time.monotonic() - began_s:.1f} s\n")
    yield made
    began_s = time.monotonic()
    made.close()
    sys.stdout.write(f"\nlab down in {time.monotonic() - began_s:.1f} s\n")


@pytest.fixture(scope="module")
def stage(lab: Lab) -> Iterator[FileStage]:
    """A Samba file server and its target, known to an administrator, not protected yet."""
    lab.reset()
    made = FileStage(lab, BESIDE)
    made.begin()
    yield made
    made.end()


@pytest.fixture
def told(request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str]) -> Told:
    """Says what was measured, on the screen and in the report."""

    def tell(what: str, figures: Mapping[str, object]) -> None:
        request.node.user_properties.extend((f"{what}: {name}", value) for name, value in figures.items())
        with capsys.disabled():
            sys.stdout.write(f"\n  {what}: {', '.join(f'{name} {value}' for name, value in figures.items())}\n")

    return tell


@pytest.fixture
def no_other_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients trust what they are told to, not what the environment of the tests says."""
    for name in OTHER_AUTHORITIES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def host_settings() -> dict[str, Any]:
    """What a module wants its simulated Windows host to be, as fields of ``WindowsHost``."""
    return {}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, host_settings: dict[str, Any]) -> Iterator[WindowsHost]:
    """A simulated Windows host outside the lab."""
    with windows_host(tmp_path_factory.mktemp("windows"), **host_settings) as host:
        yield host


@pytest.fixture
def host(served: WindowsHost) -> Iterator[WindowsHost]:
    """It, as it should be before and after each test: well, without shells, and with nothing in the simulation that broke."""
    yield served
    served.control.ask("heal")
    served.control.ask("delete-shells")
    assert served.control.ask("failures") == []
