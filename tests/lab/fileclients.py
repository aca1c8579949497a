"""People at the lab's client who know a file server by one name, and ask with a Kerberos ticket each time anew."""

from __future__ import annotations

import subprocess
import time

from tests.lab.domain import Lab

FRESH = ("--option=name cache timeout=0", "--option=name resolve order=host")
PROBE = "export KRB5CCNAME=FILE:$(mktemp) && kinit -kt {keytab} operator && exec smbclient {fresh} --use-kerberos=required //{name}/docs -c ls"
ASKS_EACH_S = 1.0


def probe(keytab: str) -> list[str]:
    """How an executor asks as a client does; ``{name}`` is its own to fill in."""
    fresh = " ".join(f"'{one}'" for one in FRESH)
    return ["sh", "-c", PROBE.replace("{keytab}", keytab).replace("{fresh}", fresh)]


class FileClients:
    """``name`` is what they ask for; the users are the domain's: writer may change, reader may read."""

    def __init__(self, lab: Lab, name: str) -> None:
        self.lab = lab
        self.name = name
        self.client = lab.host("client")

    def smb(
        self, user: str, command: str, *, share: str = "docs", check: bool = True, within_s: float = 100
    ) -> subprocess.CompletedProcess[str]:
        """A client with a fresh ticket asks the share docs or another one, or what the server's name is otherwise."""
        ticket = self.lab.ticket("client", user)
        return self.client.run(["timeout", str(within_s), *self._smbclient(command, share)], env=ticket, check=check)

    def asks(self, user: str, command: str) -> subprocess.Popen[bytes]:
        """A client that is still asking."""
        quiet = subprocess.DEVNULL
        words, ticket = self._smbclient(command), self.lab.ticket("client", user)
        return self.client.popen(words, env=ticket, stdin=quiet, stdout=quiet, stderr=quiet)

    def _smbclient(self, command: str, share: str = "docs") -> list[str]:
        return ["smbclient", *FRESH, "--use-kerberos=required", f"//{self.name}/{share}", "-c", command]

    def write(self, user: str, name: str, text: str) -> None:
        """The client writes a file."""
        self.client.write(f"/run/{name}", text)
        self.smb(user, f"put /run/{name} {name}")

    def read(self, user: str, name: str) -> str:
        """The client reads a file."""
        self.smb(user, f"get {name} /run/{name}.back")
        return self.client.path(f"/run/{name}.back").read_text()


class PatientClient:
    """A client that asks anew every second, while earlier questions still wait: one that was led to the dead server holds nobody up."""

    def __init__(self, clients: FileClients) -> None:
        self._clients = clients
        self._asked_s = 0.0
        self._asking: list[subprocess.Popen[bytes]] = []

    def reads(self) -> bool:
        """Whether it was served."""
        if time.monotonic() - self._asked_s >= ASKS_EACH_S:
            self._asked_s = time.monotonic()
            self._asking.append(self._clients.asks("writer", "ls"))
        return any(one.poll() == 0 for one in self._asking)

    def stop(self) -> None:
        """Ask no more."""
        for one in self._asking:
            one.kill()
            one.wait()
