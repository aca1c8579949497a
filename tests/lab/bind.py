"""BIND on ns2: a forward zone and a reverse zone that take updates and transfers signed with one TSIG key, and nothing else."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.lab.hosts import LabHost
from tests.lab.places import BRANCH, PLACES, REVERSE_ZONES, TSIG_KEY, TSIG_KEY_FILE
from tests.lab.waiting import until

SERVER = PLACES["ns2"]
FORWARD = f"""\
$TTL 3600
@ IN SOA ns2.{BRANCH}. hostmaster.{BRANCH}. 1 3600 600 86400 60
@ IN NS ns2.{BRANCH}.
@ IN MX 10 alpha.{BRANCH}.
ns2 IN A {SERVER.address}
alpha 1200 IN A {PLACES["alpha"].address}
beta IN A {PLACES["beta"].address}
files 600 IN CNAME alpha.{BRANCH}.
_smb._tcp IN SRV 0 100 445 alpha.{BRANCH}.
"""
REVERSE = f"""\
$TTL 3600
@ IN SOA ns2.{BRANCH}. hostmaster.{BRANCH}. 1 3600 600 86400 60
@ IN NS ns2.{BRANCH}.
{PLACES["alpha"].number} 900 IN PTR alpha.{BRANCH}.
{PLACES["beta"].number} IN PTR beta.{BRANCH}.
"""
ZONES = {BRANCH: FORWARD, REVERSE_ZONES[0]: REVERSE}


def new_secret() -> str:
    """A secret for the key, as named and dig read it."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def configure(host: LabHost) -> None:
    """Write its configuration and its zones."""
    _write_config(host, {TSIG_KEY: TSIG_KEY_FILE}, (TSIG_KEY,))
    for name, text in ZONES.items():
        host.write(f"/var/lib/bind/{name}.zone", text)


def know(host: LabHost, keys: Mapping[str, Path], writers: Sequence[str]) -> None:
    """From now on it knows these keys, by the files that they lie in on it, and takes updates signed with those of ``writers``."""
    stop(host)
    _write_config(host, keys, writers)
    start(host)


def _write_config(host: LabHost, keys: Mapping[str, Path], writers: Sequence[str]) -> None:
    allowed = " ".join(f'key "{name}";' for name in writers)
    zones = "".join(
        f'zone "{name}" {{ type primary; file "{name}.zone"; allow-update {{ {allowed} }}; }};\n' for name in ZONES
    )
    known = "".join(f'include "{file}";\n' for file in keys.values())
    host.write(
        "/etc/bind/named.conf",
        f'{known}options {{ directory "/var/lib/bind"; pid-file "/run/named/named.pid"; session-keyfile "/run/named/session.key";\n'
        f"  listen-on {{ any; }}; listen-on-v6 {{ none; }}; recursion no; dnssec-validation no; notify no;\n"
        f'  allow-transfer {{ key "{TSIG_KEY}"; }}; }};\ncontrols {{ }};\n{zones}',
    )


def start(host: LabHost) -> None:
    """Start named and wait until it serves."""
    host.run(["named", "-n", "1", "-c", "/etc/bind/named.conf"])
    dig = ["dig", "+short", "+time=1", "+tries=1", f"@{SERVER.address}", BRANCH, "SOA"]
    until("named serves its zone", lambda: host.run(dig, check=False).stdout != "", 60)


def stop(host: LabHost) -> None:
    """Stop named in good order."""
    host.run(["pkill", "-x", "named"], check=False)  # of this host: it sees no others
    until("named has stopped", lambda: host.run(["pgrep", "-x", "named"], check=False).returncode, 60)
