"""The wire with the tiny engine behind it, in the test's own process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.certificates import Authority
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
