"""The wire with the tiny engine behind it, in the test's own process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.certificates import Authority
from tests.lab.sqlserver.process import FREETDS
from tests.lab.sqlserver.wire.certificate import tls_context
from tests.lab.sqlserver.wire.connection import Surroundings
from tests.lab.sqlserver.wire.listener import Listener
from tests.lab.sqlserver.wire.principals import Accounts
from tests.lab.sqlserver.wire.welcoming import Welcome
from tests.lab.windows.starting import loopback_address, write_secret
from tests.unit.lab_sqlserver.wire_client import RawCaller
from tests.unit.lab_sqlserver.wire_engine import PASSWORD, FakeInstance


@dataclass(repr=False)
class Wire:
    """What is behind the wire, and how to reach it."""

    instance: FakeInstance
    address: str
    port: int
    failures: list[BaseException] = field(default_factory=list)

    def caller(self) -> RawCaller:
        """A caller that has said nothing yet."""
        return RawCaller(self.address, self.port)

    @contextlib.contextmanager
    def guest(self) -> Iterator[RawCaller]:
        """A caller that is logged in."""
        with self.caller() as caller:
            caller.log_in("sa", PASSWORD)
            yield caller


@contextlib.contextmanager
def wire(
    directory: Path, force_encryption: bool = False, authority: Authority | None = None, **settings: Any
) -> Iterator[Wire]:
    """It serves; ``settings`` as the fields of FakeInstance. What breaks in the simulation fails the test."""
    instance, address = FakeInstance(**settings), loopback_address(directory)
    files: tuple[Path | None, Path | None] = (None, None)
    if authority is not None:
        key, certificate = authority.issue("alpha.test", address)
        files = write_secret(directory / "server.pem", certificate), write_secret(directory / "server.key", key)
    welcome = Welcome(instance, "ALPHA", tls_context(*files, instance.version), Accounts(), force_encryption)
    failures: list[BaseException] = []
    listener = Listener(address, 0, Surroundings(instance, welcome, failures.append))
    listener.start()
    try:
        yield Wire(instance, address, listener.port, failures)
    finally:
        listener.close()
    assert failures == []


def string(server: Wire, driver: str, **more: str) -> str:
    """A connection string for sa; ``more`` are keywords of the driver."""
    words = {"Driver": driver, "UID": "sa", "PWD": PASSWORD}
    if driver == FREETDS:
        words |= {"Server": server.address, "Port": str(server.port), "TDS_Version": "7.4", "ClientCharset": "UTF-8"}
    else:
        words |= {"Server": f"{server.address},{server.port}", "TrustServerCertificate": "yes"}
    return ";".join(f"{name}={value}" for name, value in (words | more).items())


def connect(server: Wire, driver: str, autocommit: bool = True, **more: str) -> Any:
    """A connection of pyodbc for sa."""
    import pyodbc

    return pyodbc.connect(string(server, driver, **more), autocommit=autocommit, timeout=60)
