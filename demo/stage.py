"""The stage of the demo: two hosts, a witness, a DNS server, and a protection file as an administrator would write it.

Everything lives in one temporary directory and on one loopback /24 of its own, so that two demos do not meet. ``strike``
takes it all down again.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import random
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from demo.hosts import DemoHost, wait_until

ZONE = "example.test"
CLIENT_NAME = f"files.{ZONE}"
CONTROL_PORT, DATA_PORT, PROBE_PORT, SERVICE_PORT, DNS_PORT, WITNESS_PORT = 6320, 6321, 6320, 8080, 5353, 6322
BIN = Path(sys.executable).parent
LEASE_S, INTERVAL_S, MISSED = 4.0, 0.25, 4
PLANTED_TTL_S = 3600
LEDGER_BYTES, REPORTS = 24 * 1024 * 1024, 400


def end_on_signals() -> None:
    """SIGTERM and a closed terminal end the program as Ctrl-C does: what was started is taken down."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Nobody ends the program meanwhile; afterwards signals mean what they meant before."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for number, meaning in before.items():
            signal.signal(number, meaning)


def program(name: str) -> str:
    """A program of this virtual environment."""
    return str(BIN / name)


def unused_network() -> str:
    """The first three numbers of a loopback network on which none of our ports is taken."""
    for _ in range(100):
        network = f"127.{random.randrange(20, 250)}.{random.randrange(0, 250)}"
        if all(_free(f"{network}.{last}", port) for last in (2, 3) for port in (CONTROL_PORT, SERVICE_PORT)):
            return network
    message = "no unused loopback network was found"
    raise RuntimeError(message)


def _free(address: str, port: int) -> bool:
    with socket.socket() as probe, contextlib.suppress(OSError):
        probe.bind((address, port))
        return True
    return False


@dataclass(frozen=True, slots=True)
class Stage:
    """Where everything is. ``home`` is the administrator's own state (DTAM_HOME)."""

    directory: Path
    network: str
    alpha: DemoHost
    beta: DemoHost
    third: DemoHost

    @classmethod
    def build(cls) -> Stage:
        """A new stage in a new directory."""
        directory = Path(tempfile.mkdtemp(prefix="dtam-demo-"))
        network = unused_network()
        (directory / "network").write_text(network)
        return cls._placed(directory, network)

    @classmethod
    def of(cls, directory: Path) -> Stage:
        """The stage that stands in ``directory``."""
        return cls._placed(directory, (directory / "network").read_text())

    @classmethod
    def _placed(cls, directory: Path, network: str) -> Stage:
        run = directory.name
        alpha = DemoHost("alpha", f"{network}.2", directory / "alpha", run)
        beta = DemoHost("beta", f"{network}.3", directory / "beta", run)
        third = DemoHost("third", f"{network}.4", directory / "third", run)
        return cls(directory, network, alpha, beta, third)

    @property
    def home(self) -> Path:
        """The administrator's DTAM_HOME."""
        return self.directory / "admin"

    @property
    def protection_file(self) -> Path:
        """The file that ``dtam --fileprint setup --file`` reads."""
        return self.directory / "protection.yaml"

    @property
    def key_file(self) -> Path:
        """The TSIG key of the zones, on the administrator's machine."""
        return self.directory / "dns.key"

    def data(self, host: DemoHost) -> Path:
        """The protected directory of a host."""
        return host.directory / "srv" / "files"

    def token_file(self, host: DemoHost) -> Path:
        """The administrator's token for a host's engine."""
        return self.directory / f"{host.name}.token"

    def memory_directory(self, host: DemoHost) -> Path:
        """The host's queue in memory: a tmpfs where there is one."""
        shm = Path("/dev/shm")  # noqa: S108 - the tmpfs by definition; the name carries the run
        return (shm if os.access(shm, os.W_OK) else self.directory) / f"{host.run}-{host.name}"

    def set_up(self) -> None:
        """Start everything that an administrator would find: hosts with their engines, data, DNS, a witness."""
        self.start_dns()
        self.start_witness()
        for host in (self.alpha, self.beta):
            self.start_engine(host)
            self.make_token(host)
            self.enrol(host)
        self.fill_source()
        self.write_protection()

    def fill_source(self) -> None:
        """Some files worth protecting: a big one and many small ones."""
        data = self.data(self.alpha)
        data.mkdir(parents=True, mode=0o750)
        rng = random.Random(7)
        (data / "ledger.db").write_bytes(rng.randbytes(LEDGER_BYTES))
        for number in range(REPORTS):
            (data / f"report-{number:03d}.txt").write_bytes(rng.randbytes(rng.randrange(500, 20_000)))

    def start_dns(self) -> None:
        """The authoritative server, on the third machine."""
        directory = self.third.directory
        directory.mkdir(parents=True, mode=0o700)
        reverse = ".".join(reversed(self.network.split("."))) + ".in-addr.arpa"
        _write_private(self.key_file, _tsig_key())
        shutil.copy2(self.key_file, directory / "dns.key")
        soa = f"@ 300 IN SOA ns1.{ZONE}. admin.{ZONE}. 1 3600 600 86400 60\n@ 300 IN NS ns1.{ZONE}.\n"
        forward = (
            f"{soa}ns1 300 IN A {self.third.address}\n"
            f"alpha 300 IN A {self.alpha.address}\nbeta 300 IN A {self.beta.address}\n"
            f"files {PLANTED_TTL_S} IN A {self.alpha.address}\n"
        )
        (directory / "forward.zone").write_text(f"$ORIGIN {ZONE}.\n{forward}")
        (directory / "reverse.zone").write_text(
            f"$ORIGIN {reverse}.\n{soa}2 300 IN PTR alpha.{ZONE}.\n3 300 IN PTR beta.{ZONE}.\n"
        )
        zones = (f"{ZONE}={directory / 'forward.zone'}", f"{reverse}={directory / 'reverse.zone'}")
        self.third.start(
            sys.executable, "-m", "demo.dnsserver", "--listen", f"{self.third.address}:{DNS_PORT}",
            "--key-file", str(directory / "dns.key"), "--zone", zones[0], "--zone", zones[1], log="dns",
        )  # fmt: skip
        wait_until(lambda: _answers(self.third.address, DNS_PORT), 60, "the DNS server's start")

    def start_witness(self) -> None:
        """The witness, on the third machine."""
        self.third.start(
            program("dtwitness"), "run", "--state", str(self.third.directory / "witness"),
            "--address", self.third.address, "--port", str(WITNESS_PORT), log="witness",
        )  # fmt: skip
        wait_until(lambda: _answers(self.third.address, WITNESS_PORT), 60, "the witness's start")

    def start_engine(self, host: DemoHost) -> None:
        """A host's engine, as its service manager would start it after a boot."""
        host.start(
            program("dtengine"), "run", "--state", str(host.directory / "engine"), "--name", host.name,
            "--address", host.address, "--control-port", str(CONTROL_PORT), "--data-port", str(DATA_PORT),
            "--probe-port", str(PROBE_PORT), "--memory-directory", str(self.memory_directory(host)), log="engine",
        )  # fmt: skip
        wait_until(lambda: _answers(host.address, CONTROL_PORT), 20, f"the start of {host.name}'s engine")

    def make_token(self, host: DemoHost) -> None:
        """On the host itself: a token with which the administrator reaches its engine."""
        self.run_on(host, "token", "create", "administrator", "--scope", "admin", "--to", str(self.token_file(host)))

    def run_on(self, host: DemoHost, *words: str) -> str:
        """``dtengine`` on a host, over its UNIX socket."""
        command = [program("dtengine"), *words, "--state", str(host.directory / "engine")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def enrol(self, host: DemoHost) -> None:
        """At the witness: admit a host's engine by its certificate."""
        who = json.loads(self.run_on(host, "server", "--json"))
        command = [program("dtwitness"), "enrol", "-", "--state", str(self.third.directory / "witness"),
                   "--name", host.name, "--holder", who["engine_id"], "--fingerprint", who["fingerprint"]]  # fmt: skip
        subprocess.run(command, input=who["certificate_pem"], check=True, capture_output=True, text=True)

    def fingerprint(self, host: DemoHost) -> str:
        """What the administrator reads on a host's own screen and pins."""
        return str(json.loads(self.run_on(host, "server", "--json"))["fingerprint"])

    def witness_fingerprint(self) -> str:
        """What the administrator reads on the witness's screen."""
        command = [program("dtwitness"), "fingerprint", "--state", str(self.third.directory / "witness")]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def write_protection(self) -> None:
        """The protection, as a file under version control would hold it."""
        beta_key = self.beta.directory / "dns.key"
        shutil.copy2(self.key_file, beta_key)
        text = yaml.safe_dump(self._protection(beta_key), sort_keys=False, allow_unicode=True)
        self.protection_file.write_text(text)

    def _protection(self, beta_key: Path) -> dict[str, object]:
        return {
            "application": "fileprint",
            "source": "alpha",
            "target": "beta",
            "name": CLIENT_NAME,
            "failover": {
                "dns": {
                    "servers": [f"{self.third.address}:{DNS_PORT}"],
                    "key_file": str(self.key_file),
                    "target_key_file": str(beta_key),
                    "zones": [ZONE],
                    "addresses": [{"source": self.alpha.address, "target": self.beta.address}],
                    "ttl_s": 1,
                },
                "services": [self._service()],
                "health": {"url": f"http://{{name}}:{SERVICE_PORT}/-/health", "expect": "", "within_s": 30},
            },
            "monitoring": {
                "manual_intervention": False,
                "method": "udp",
                "addresses": [self.alpha.address],
                "interval_s": INTERVAL_S,
                "missed": MISSED,
                "witness": {
                    "address": self.third.address,
                    "port": WITNESS_PORT,
                    "fingerprint": self.witness_fingerprint(),
                    "lease_s": LEASE_S,
                },
            },
            "connection": {
                "roots": [{"source_path": str(self.data(self.alpha)), "target_path": str(self.data(self.beta))}],
                "orphans": {"action": "delete"},
            },
        }

    def _service(self) -> dict[str, object]:
        sides = {"source": self.alpha, "target": self.beta}
        return {"name": "files", "grace_s": 3} | {side: self._commands(host) for side, host in sides.items()}

    def _commands(self, host: DemoHost) -> dict[str, object]:
        return {
            "start_command": [
                sys.executable, str(Path(__file__).with_name("fileservice.py")), "--root", str(self.data(host)),
                "--address", host.address, "--port", str(SERVICE_PORT), "--side", host.name,
            ],
            "health_url": f"http://{host.address}:{SERVICE_PORT}/-/health",
        }  # fmt: skip

    def events(self, host: DemoHost) -> list[dict[str, Any]]:
        """What a host's engine says happened."""
        return list(json.loads(self.run_on(host, "events", "--json")))

    def capture_kind(self) -> str:
        """How alpha's writes are captured: ``fuse``, or ``watcher`` with what that means."""
        mounts = json.loads(self.run_on(self.alpha, "mounts", "list", "--json"))
        kind = str(mounts[0]["capture"])
        return kind if kind == "fuse" else f"{kind}: weaker: no write order"

    def acknowledged_through_ns(self) -> int:
        """When the last operation was made that beta had acknowledged."""
        replicas = json.loads(self.run_on(self.beta, "replicas", "list", "--json"))
        return int(replicas[0]["acknowledged_time_ns"]) if replicas else 0

    def set_aside(self) -> list[str]:
        """What the old source had that never arrived, kept before the restore overwrote it."""
        kept = (self.alpha.directory / "engine").glob("**/set-aside/**/*")
        return sorted(
            str(path.relative_to(self.alpha.directory))
            for path in kept
            if path.is_file() and path.name != "manifest.json"
        )

    def log_tails(self, lines: int = 12) -> str:
        """The last words of every process, for when something broke."""
        logs = sorted(self.directory.glob("*/*.log"))
        return "\n".join(f"== {log}\n" + "\n".join(log.read_text().splitlines()[-lines:]) for log in logs)

    def strike(self) -> None:
        """End everything that was started and leave nothing behind; impatience does not stop it half-way."""
        with undisturbed():
            for host in (self.alpha, self.beta, self.third):
                host.shut_down()
                shutil.rmtree(self.memory_directory(host), ignore_errors=True)
            shutil.rmtree(self.directory, ignore_errors=True)


def _tsig_key() -> str:
    secret = secrets.token_bytes(32)
    return f'key "dtam-demo" {{ algorithm hmac-sha256; secret "{base64.b64encode(secret).decode()}"; }};\n'


def _write_private(path: Path, text: str) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)


def _answers(address: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((address, port), timeout=0.3):
        return True
    return False
