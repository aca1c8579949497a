"""A simulated Windows host as a process of the test, on an address of the loopback of its own: ``windows_host(tmp_path)``."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography import x509

from tests.lab.certificates import Authority
from tests.lab.waiting import until
from tests.lab.windows.control import Control

PROJECT = Path(__file__).resolve().parents[3]
USER_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")


def loopback_address(of: Path) -> str:
    """An address of 127.0.0.0/8 that depends on the directory, so that two tests at once do not meet."""
    digest = hashlib.sha256(f"{of}{os.getpid()}".encode()).digest()
    return f"127.{digest[0] % 200 + 30}.{digest[1]}.{digest[2] % 250 + 2}"


def write_secret(path: Path, text: str) -> Path:
    """A file for its owner alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        out.write(text)
    return path


def client_certificate(authority: Authority, directory: Path, upn: str) -> tuple[Path, Path]:
    """Certificate and key of a caller whose name is ``upn``."""
    text = upn.encode()
    name = x509.OtherName(USER_PRINCIPAL_NAME, bytes([0x0C, len(text)]) + text)
    key, certificate = authority.issue_for(x509.SubjectAlternativeName([name]), upn)
    return write_secret(directory / "client.pem", certificate), write_secret(directory / "client.key", key)


@dataclass
class WindowsHost:
    """One simulated host outside the lab: its addresses, its accounts, and what can be done to it."""

    directory: Path
    name: str = "ALPHA"
    settings: Mapping[str, Any] = field(default_factory=dict)  # of winrm/config
    machine: Mapping[str, Any] = field(default_factory=dict)
    endpoints: Mapping[str, list[str]] = field(default_factory=dict)
    address: str = ""
    process: subprocess.Popen[str] | None = None
    http_port: int = 0
    https_port: int = 0

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.address = self.address or loopback_address(self.directory)
        self.state = self.directory / "state"
        self.authority = Authority()
        self.ca_file = write_secret(self.directory / "ca.pem", self.authority.text)
        self.passwords = {
            one: f"{secrets.token_urlsafe(9)}.aA1" for one in ("Administrator", "dtam", "helper", "nobody")
        }
        self.accounts = write_secret(self.directory / "accounts.json", json.dumps(self._accounts()))
        self.key, self.certificate = self._own_certificate()
        self.client_certificate, self.client_key = client_certificate(self.authority, self.directory, "dtam@alpha")
        self.log = self.directory / "host.log"

    def _accounts(self) -> dict[str, Any]:
        groups = {
            "Administrator": ["Administrators"],
            "dtam": ["Administrators", "Remote Management Users"],
            "helper": ["Remote Management Users"],
            "nobody": ["Users"],
        }
        local = {
            name: {
                "password": self.passwords[name],
                "groups": groups[name],
                "rid": 500 if name == "Administrator" else 1001 + at,
            }
            for at, name in enumerate(groups)
        }
        return {"local": local, "certificates": [{"upn": "dtam@alpha", "account": "dtam"}]}

    def _own_certificate(self) -> tuple[Path, Path]:
        key, certificate = self.authority.issue(self.name.lower(), self.address)
        return write_secret(self.directory / "host.key", key), write_secret(self.directory / "host.pem", certificate)

    @property
    def argv(self) -> list[str]:
        """The words that start it."""
        paths = {"state": self.state, "accounts": self.accounts, "certificate": self.certificate, "key": self.key}
        words = [word for name, path in paths.items() for word in (f"--{name}", str(path))]
        settings = {
            "auth_basic": True,
            "auth_certificate": True,
            "local_account_token_filter_policy": True,
            **self.settings,
        }
        return [
            *(sys.executable, "-m", "tests.lab.windows", "--name", self.name, "--address", self.address, *words),
            *("--client-authority", str(self.ca_file), "--configuration", json.dumps(settings)),
            *("--machine", json.dumps(dict(self.machine)), "--endpoints", json.dumps(dict(self.endpoints))),
        ]

    def boot(self) -> None:
        """Power on, and wait until it serves."""
        if self.process is not None:
            return
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(self.argv, cwd=PROJECT, stdout=subprocess.PIPE, stderr=log, text=True)
        self.wait_ready()

    def wait_ready(self) -> None:
        """Wait until it says that it serves; after a restart, too."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, f"the host did not boot:\n{self.log.read_text()}"
        ready = json.loads(line)
        self.http_port, self.https_port = ready["http"], ready["https"]

    def power_cut(self) -> None:
        """The power goes: no goodbye, what was on the disk stays."""
        if self.process is not None:
            self.process.kill()
            self.close()

    def close(self) -> None:
        """End it in good order."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    @property
    def control(self) -> Control:
        """Faults on request."""
        return Control(self.state / "control.sock")

    @property
    def http(self) -> str:
        """The address of WinRM over HTTP."""
        return f"http://{self.address}:{self.http_port}/wsman"

    @property
    def https(self) -> str:
        """The address of WinRM over HTTPS."""
        return f"https://{self.address}:{self.https_port}/wsman"

    def gone(self) -> None:
        """Wait until the process has ended by itself."""
        until("the host has ended", lambda: self.process is None or self.process.poll() is not None)


@contextlib.contextmanager
def windows_host(directory: Path, name: str = "ALPHA", **more: Any) -> Iterator[WindowsHost]:
    """A host that serves; ``more`` as the fields of WindowsHost (settings, machine)."""
    host = WindowsHost(directory, name, **more)
    try:
        host.boot()
        yield host
    finally:
        host.close()
