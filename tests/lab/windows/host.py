"""The process of one simulated Windows host: the wire before, the machine and the evaluator behind it.

    python -m tests.lab.windows --state DIR --name ALPHA --accounts FILE [--domain lab.example] [--keytab FILE] ...

When it serves it says one JSON line on standard output ({"ready": true, "http": PORT, "https": PORT}). SIGTERM ends it in good
order, SIGKILL is a power cut, a restart that a cmdlet asks for ends all connections and boots the process anew from its disk.
A simulation: nothing of Windows runs here.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import ssl
import sys
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.windows import behind, control
from tests.lab.windows.fileserver import FileServer
from tests.lab.windows.wire import remoting
from tests.lab.windows.wire.accounts import Accounts
from tests.lab.windows.wire.configuration import Configuration
from tests.lab.windows.wire.consoles import console
from tests.lab.windows.wire.door import Door
from tests.lab.windows.wire.execution import Call
from tests.lab.windows.wire.listener import Listener, serve, tls_context
from tests.lab.windows.wire.prompt import Prompt
from tests.lab.windows.wire.service import Service
from tests.lab.windows.wire.shells import Shells
from tests.lab.windows.wire.trouble import Trouble

LOG = logging.getLogger(__name__)
TICK_S = 0.1
POLICIES = r"SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System"


@dataclass(frozen=True)
class HostSettings:
    """What the process is started with."""

    state: Path
    name: str
    accounts: Path
    domain: str = ""
    address: str = "127.0.0.1"
    http_port: int = 5985
    https_port: int = 5986
    keytab: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    client_authority: Path | None = None
    configuration: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    boot_s: float = 0.0
    shutdown_s: float = 0.5
    own_address: str = ""
    endpoints: dict[str, list[str]] = field(
        default_factory=dict
    )  # restricted session configurations and their commands

    @property
    def fqdn(self) -> str:
        """Its full name."""
        return f"{self.name}.{self.domain}".lower() if self.domain else self.name


class Back:
    """What is behind the wire: the machine with its programs and its evaluator, in the lab with a real file server."""

    def __init__(self, settings: HostSettings, restart: Callable[[], None]) -> None:
        self._settings = settings
        self.machine, self._sql = behind.boot(settings, restart)
        self._file_server = FileServer(self.machine) if settings.own_address else None

    def tick(self) -> None:
        """Let the machine do what is due."""
        self.machine.tick()
        self._sql.follow()
        if self._file_server is not None:
            self._file_server.follow()

    def close(self) -> None:
        """The machine ends in good order."""
        self._sql.close()
        if self._file_server is not None:
            self._file_server.stop()

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a new process."""
        return self.machine.computer.environment()

    def filters_local_accounts(self) -> bool:
        """Whether a local account's token is filtered over the network: unless LocalAccountTokenFilterPolicy is 1."""
        value = self.machine.registry.value(POLICIES, "LocalAccountTokenFilterPolicy", None)
        if value is not None:
            return int(value) != 1
        return not Configuration.of(self._settings.configuration).local_account_token_filter_policy

    def run(self, call: Call) -> int:
        """One command line of a remote shell."""
        if call.through_cmd:
            return Prompt(
                call, self.program, directory=call.directory or f"C:\\Users\\{call.environment['USERNAME']}"
            ).run()
        code = self.program(call.line, call)
        if code is None:
            call.err(b"The system cannot find the file specified.\r\n")
            return 1
        return code

    def program(self, line: str, call: Call) -> int | None:
        """One program; None when there is none of its name."""
        code = console(line, call, self.machine.computer.name)
        return behind.program(self.machine, line, call) if code is None else code

    def pipeline(self, run: remoting.Pipeline) -> None:
        """One pipeline of PowerShell remoting."""
        behind.pipeline(self.machine, run)


class Host:
    """A host that serves; ``close`` ends it in good order."""

    def __init__(self, settings: HostSettings) -> None:
        self.settings = settings
        self.configuration = Configuration.of(settings.configuration)
        self.trouble = Trouble()
        self.failures: list[str] = []
        self.dropped: list[int] = []  # connections, by each cut that was asked for
        self._over = threading.Event()
        self._restart = threading.Event()
        settings.state.mkdir(parents=True, exist_ok=True)
        self.back = Back(settings, self.restart)
        accounts = Accounts.read(settings.accounts, settings.name, self.back.filters_local_accounts)
        self._tell_libraries(accounts)
        self.door = Door(self.configuration, accounts)
        self.shells = Shells(self.configuration, self.back, self._failed)
        self.service = Service(self.configuration, self.shells, self.back.environment, ())
        named = [
            remoting.Configuration(name, frozenset(one.lower() for one in commands))
            for name, commands in settings.endpoints.items()
        ]
        plugin = remoting.PowerShellPlugin(self.service, self.back, (remoting.Configuration(), *named))
        self.service.plugins = (plugin,)
        self.listeners = self._listen()

    def _tell_libraries(self, accounts: Accounts) -> None:
        """The NTLM and Kerberos libraries know their accounts and keys by the environment only."""
        file = self.settings.state / "ntlm.users"
        file.unlink(missing_ok=True)
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(accounts.ntlm_lines())
        os.environ["NTLM_USER_FILE"] = str(file)
        if self.settings.keytab is not None:
            os.environ["KRB5_KTNAME"] = f"FILE:{self.settings.keytab}"

    def _failed(self, error: BaseException) -> None:
        text = "".join(traceback.format_exception(error))
        LOG.error("the simulation failed: %s", text)
        self.failures.append(text)

    def _listen(self) -> list[Listener]:
        settings = self.settings
        common: dict[str, Any] = {
            "door": self.door,
            "service": self.service,
            "trouble": self.trouble,
            "machine": settings.fqdn,
            "version": "OS: 10.0.20348 SP: 0.0 Stack: 3.0",
        }
        made = [Listener((settings.address, settings.http_port), **common)]
        if settings.certificate is not None and settings.key is not None:
            context = tls_context(settings.certificate, settings.key, settings.client_authority)
            der = ssl.PEM_cert_to_DER_cert(
                settings.certificate.read_text().partition("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----"
            )
            made.append(Listener((settings.address, settings.https_port), **common, tls=context, certificate=der))
        return made

    @property
    def ready(self) -> dict[str, Any]:
        """What is said when it serves."""
        ports = [one.server_address[1] for one in self.listeners]
        return {"ready": True, "simulation": True, "http": ports[0], "https": ports[1] if len(ports) > 1 else 0}

    def run(self) -> bool:
        """Serve until it is ended; True when it is to boot again."""
        stop = control.serve(self, self.settings.state / "control.sock")
        for listener in self.listeners:
            serve(listener, LOG.info)
        sys.stdout.write(json.dumps(self.ready) + "\n")
        sys.stdout.flush()
        self._count_boot()
        while not self._over.wait(TICK_S):
            try:
                self.back.tick()
            except Exception as error:  # noqa: BLE001 - told, and the host goes on as a real one would
                self._failed(error)
        if self._restart.is_set():
            time.sleep(self.settings.shutdown_s)  # the answer of the command that asked for it still goes out
        stop()
        self._close()
        return self._restart.is_set()

    def _count_boot(self) -> None:
        """Say it on the disk, too: how often it has come up."""
        file, new = self.settings.state / "ready", self.settings.state / "ready.new"
        new.write_text(str(1 + (int(file.read_text()) if file.exists() else 0)))
        new.replace(file)

    def _close(self) -> None:
        for listener in self.listeners:
            listener.drop_all()
            threading.Thread(target=listener.shutdown, daemon=True).start()
            listener.server_close()
        self.shells.end_all()
        self.back.close()

    def end(self) -> None:
        """End it in good order."""
        self._over.set()

    def restart(self, *_: Any) -> None:
        """End it, and boot again."""
        self._restart.set()
        self._over.set()


def run(settings: HostSettings) -> None:
    """The process: serves, and boots again as often as it is asked to."""
    host = Host(settings)
    signal.signal(signal.SIGTERM, lambda *_: host.end())
    if host.run():
        time.sleep(settings.boot_s)
        os.execv(sys.executable, [sys.executable, "-m", "tests.lab.windows", *sys.argv[1:]])
