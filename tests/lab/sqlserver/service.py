"""An instance with its wire: what the process runs. A simulation: nothing of SQL Server runs here."""

from __future__ import annotations

import logging
import os
import ssl
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.sqlserver import control
from tests.lab.sqlserver.browsing import Entry
from tests.lab.sqlserver.engine.port import Instance, InstanceDoesNotStart, Settings, open_instance
from tests.lab.sqlserver.wire.certificate import tls_context
from tests.lab.sqlserver.wire.connection import Surroundings
from tests.lab.sqlserver.wire.listener import Listener
from tests.lab.sqlserver.wire.principals import Accounts
from tests.lab.sqlserver.wire.welcoming import Welcome

LOG = logging.getLogger(__name__)
TCP = "tcp"
"""The key of the port in what SQL Browser says; it is not there where the protocol is disabled."""


@dataclass(frozen=True)
class ServiceSettings:
    """One instance and how it is reached."""

    engine: Settings
    accounts: Accounts = field(default_factory=Accounts)
    keytab: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    force_encryption: bool = False
    hidden: bool = False
    control: Path | None = None


class Service:
    """Runs from when it is made; ``close`` ends it in good order. Raises InstanceDoesNotStart."""

    def __init__(self, settings: ServiceSettings) -> None:
        self.settings = settings
        self.failures: list[str] = []
        if settings.keytab is not None:
            os.environ["KRB5_KTNAME"] = f"FILE:{settings.keytab}"
        self.instance = open_instance(settings.engine)
        self._listener: Listener | None = None
        try:
            if TCP in self.instance.browser_entry():  # the protocol was enabled when it started
                self._listener = self._listen()
        except OSError as error:
            self.instance.close()
            where = f"{settings.engine.address} {settings.engine.port}"
            raise InstanceDoesNotStart(
                f"Server TCP provider failed to listen on [ {where} ]: {error.strerror}"
            ) from error
        self._stop_control = control.serve(self, self.control_path)
        if self._listener is not None:
            self._listener.start()

    @property
    def control_path(self) -> Path:
        """Where state is planted."""
        return self.settings.control or self.settings.engine.root / "control.sock"

    @property
    def port(self) -> int:
        """Where it listens, 0 for nowhere."""
        return self._listener.port if self._listener is not None else 0

    def _listen(self) -> Listener:
        settings = self.settings
        welcome = Welcome(
            instance=self.instance,
            server=_server_name(self.instance),
            tls=self._tls(),
            accounts=settings.accounts,
            force_encryption=settings.force_encryption,
        )
        around = Surroundings(self.instance, welcome, self._failed)
        return Listener(settings.engine.address, settings.engine.port, around)

    def _tls(self) -> ssl.SSLContext:
        return tls_context(self.settings.certificate, self.settings.key, self.instance.version)

    def _failed(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        LOG.error("the simulation failed: %s", text)
        self.failures.append(text)

    def entry(self) -> Entry:
        """What SQL Browser says of it."""
        said = {name: str(value) for name, value in self.instance.browser_entry().items()}
        hidden = said.pop("hidden", "") == "True" or self.settings.hidden
        return Entry(said | ({TCP: str(self.port)} if self.port else {}), hidden)

    def close(self) -> None:
        """No more connections, then the instance's own orderly end."""
        if self._listener is not None:
            self._listener.close()
        self.instance.close()
        self._stop_control()


def _server_name(instance: Instance) -> str:
    return instance.machine if instance.name == "MSSQLSERVER" else f"{instance.machine}\\{instance.name}"
