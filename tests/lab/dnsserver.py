"""DNS servers for tests: the embedded one and BIND's ``named``, started alike, on loopback and a port of their own.

``named`` runs in the foreground in a directory of its own, is stopped by its process, and never touches /etc/bind.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.query

from demo.dnsserver import DnsServer, RunningServer
from demo.dnszone import ServedZone
from orchestrator.naming.keys import Key
from orchestrator.naming.values import NameServer

KEY = Key("dtam-key", "hmac-sha256", "c2VjcmV0LW9mLXRoZS1sYWItMDEyMzQ1Njc4OWFiY2RlZg==")

FORWARD = """
$TTL 3600
@ IN SOA ns1.lab.example. admin.lab.example. 7 3600 600 86400 60
@ IN NS ns1.lab.example.
@ IN MX 10 alpha.lab.example.
@ IN MX 20 beta.lab.example.
ns1 IN A {ns1}
alpha 1200 IN A 10.0.0.10
alpha IN AAAA 2001:db8::10
beta IN A 10.0.0.20
beta IN AAAA 2001:db8::20
gamma IN A 10.0.0.30
Files 600 IN A 10.0.0.10
www IN CNAME Alpha.lab.example.
_ldap._tcp IN SRV 0 100 389 alpha.lab.example.
_ldap._tcp IN SRV 0 50 389 gamma.lab.example.
"""
REVERSE = """
$TTL 3600
@ IN SOA ns1.lab.example. admin.lab.example. 3 3600 600 86400 60
@ IN NS ns1.lab.example.
10 900 IN PTR alpha.lab.example.
10 900 IN PTR files.lab.example.
20 IN PTR beta.lab.example.
"""
LAB_ZONES = {"lab.example.": FORWARD, "0.0.10.in-addr.arpa.": REVERSE}


def zone_texts(ns1: str = "127.0.0.1") -> dict[str, str]:
    """The zones of the lab, with the address of their primary."""
    return {name: text.format(ns1=ns1) for name, text in LAB_ZONES.items()}


def bind_key_text(key: Key) -> str:
    """The key as tsig-keygen writes it."""
    return f'key "{key.name}" {{\n\talgorithm {key.algorithm};\n\tsecret "{key.secret}";\n}};\n'


def write_key(path: Path, key: Key = KEY) -> Path:
    """A key file with a tight mode."""
    path.touch(0o600)
    path.write_text(bind_key_text(key))
    return path


def free_port(address: str = "127.0.0.1") -> int:
    """A port that was free for UDP and TCP a moment ago."""
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        tcp.bind((address, 0))
        udp.bind((address, tcp.getsockname()[1]))
        return int(tcp.getsockname()[1])


@dataclass
class Served:
    """A running server, whichever it is."""

    at: NameServer
    kind: str


@contextmanager
def embedded(texts: dict[str, str], folder: Path | None = None, keys: tuple[Key, ...] = (KEY,)) -> Iterator[Served]:
    """The embedded server with these zones, kept in files when a folder is given."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    zones = [ServedZone.from_text(name, text, folder and folder / f"{name}zone") for name, text in texts.items()]
    with RunningServer(DnsServer(zones, keys)) as running:
        yield Served(NameServer(running.address, running.port), "embedded")


@contextmanager
def named(
    texts: dict[str, str],
    folder: Path,
    *,
    address: str = "127.0.0.1",
    port: int = 0,
    keys: tuple[Key, ...] = (KEY,),
    transfer: str = "key dtam-key;",
    primary: NameServer | None = None,
    notify: tuple[NameServer, ...] = (),
    policy: str | None = None,
    update: str = "key dtam-key;",
) -> Iterator[Served]:
    """A real named with these zones as primary, or as secondary of ``primary``."""
    folder.mkdir(parents=True, exist_ok=True)
    port = port or free_port(address)
    for name, text in texts.items():
        if primary is None:
            (folder / f"{name}zone").write_text(text)
    config = folder / "named.conf"
    config.touch(0o600)
    config.write_text(_config(texts, folder, address, port, keys, transfer, primary, notify, policy, update))
    program = shutil.which("named") or "/usr/sbin/named"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([program, "-g", "-n", "1", "-c", str(config)], stdout=log, stderr=log)
        try:
            _wait_until_serving(process, NameServer(address, port), texts, folder / "log")
            yield Served(NameServer(address, port), "bind")
        finally:
            process.terminate()
            process.wait(20)


def _config(texts, folder, address, port, keys, transfer, primary, notify, policy, update):  # noqa: PLR0917
    lines = [bind_key_text(key) for key in keys]
    also = " ".join(f"{one.address} port {one.port};" for one in notify)
    lines.append(
        f'options {{ directory "{folder}"; pid-file "{folder}/pid"; session-keyfile "{folder}/session.key";\n'
        f"  listen-on port {port} {{ {address}; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no;\n"
        f"  allow-transfer {{ {transfer} }}; notify-delay 0; notify explicit; also-notify {{ {also} }};\n"
        f"  minimal-responses no; querylog no; }};\ncontrols {{ }};\n"
    )
    grant = f"update-policy {{ {policy} }};" if policy else f"allow-update {{ {update} }};"
    for name in texts:
        if primary is None:
            lines.append(f'zone "{name}" {{ type primary; file "{name}zone"; {grant} }};\n')
        else:
            source = f'{primary.address} port {primary.port} key "{keys[0].name}"'
            lines.append(
                f'zone "{name}" {{ type secondary; file "{name}copy"; primaries {{ {source}; }};'
                f" allow-notify {{ any; }}; }};\n"
            )
    return "".join(lines)


def _wait_until_serving(process, server, zones, log):
    deadline = time.monotonic() + 20
    missing = list(zones)
    while missing and time.monotonic() < deadline and process.poll() is None:
        try:
            answer = dns.query.udp(dns.message.make_query(missing[0], "SOA"), server.address, 0.5, server.port)
        except (dns.exception.DNSException, OSError):
            answer = None
        if answer is not None and answer.answer:
            missing.pop(0)
        else:
            time.sleep(0.05)
    if missing:
        raise AssertionError(f"named does not serve {missing[0]}: {log.read_text()[-2000:]}")
