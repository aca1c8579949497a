"""Three ways in which clients are led: a domain's DNS is changed with Kerberos, BIND with a TSIG key, or alpha's address is taken over.

Each says what the protection file has under ``failover``, what the DNS servers hold, and how alpha would try to take its name back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.lab import bind
from tests.lab.filestage import FileStage
from tests.lab.places import BRANCH, REVERSE_ZONES, SECRETS, TSIG_KEY, TSIG_KEY_FILE

ALPHAS_KEY = "alpha-key"
ALPHAS_KEY_FILE = SECRETS / "alpha.key"
TAKEN_BACK = "server {server}\nupdate delete {name} A\nupdate add {name} 3600 A {address}\nsend\n"


@dataclass(frozen=True)
class Names:
    """What leads the clients, as ``failover`` in the protection file. ``held`` gives all records of the zones as text, ``refusals`` what each try of alpha's is answered."""

    failover: dict[str, Any]
    held: Callable[[], list[str]]
    refusals: Callable[[], list[str]]


@contextmanager
def by_kerberos(stage: FileStage) -> Iterator[Names]:
    """Records of alpha lead to beta; the directory that holds them is told with Kerberos."""
    server, zones = stage.dc1.address, [stage.lab.domain, REVERSE_ZONES[0]]

    def refusals() -> list[str]:
        """alpha's own account wrote that record once and owns it."""
        cache = {"KRB5CCNAME": "FILE:/run/returned.cc"}
        stage.alpha.run(["kinit", "-k", f"ALPHA$@{stage.lab.realm}"], env=cache)
        return [_taken_back(stage, server, ["-g"], cache)]

    def held() -> list[str]:
        return _records(stage, server, [(stage.name, "A"), (_reverse(stage.alpha.address), "PTR")])

    yield Names({"dns": _settings(stage, server, zones) | {"security": "kerberos"}}, held, refusals)


@contextmanager
def by_address(stage: FileStage) -> Iterator[Names]:
    """Records stay as they are: beta has alpha's address, and alpha has nothing to sign."""
    server = stage.dc1.address
    failover = {"type": "identity", "dns": {"servers": [server]}}
    yield Names(failover, lambda: _records(stage, server, [(stage.name, "A")]), list)


@contextmanager
def by_tsig(stage: FileStage) -> Iterator[Names]:
    """Records of alpha's name in a zone of BIND lead to beta; beta and the administrator have the key, alpha has another one."""
    server, zones = stage.lab.host("ns2").address, [BRANCH, REVERSE_ZONES[0]]
    stage.name = f"alpha.{BRANCH}"
    for service in ("HOST", "cifs"):
        stage.dc1.run(["samba-tool", "spn", "add", f"{service}/{stage.name}", "ALPHA$"])
    own = stage.alpha.path(TSIG_KEY_FILE).read_text()
    stage.alpha.path(TSIG_KEY_FILE).unlink()
    _give_alpha_a_key(stage)
    let_alpha_write(stage, too=False)

    def refusals() -> list[str]:
        return [_taken_back(stage, server, words) for words in (["-k", str(ALPHAS_KEY_FILE)], [])]

    def held() -> list[str]:
        return _records(stage, server, [(zone, "AXFR") for zone in zones], ["-k", str(TSIG_KEY_FILE)])

    keys = {"key_file": str(TSIG_KEY_FILE), "source_key_files": [str(ALPHAS_KEY_FILE)]}
    try:
        yield Names({"dns": _settings(stage, server, zones) | {"security": "tsig"} | keys}, held, refusals)
    finally:
        stage.alpha.write(TSIG_KEY_FILE, own, 0o600)
        for service in ("HOST", "cifs"):
            stage.dc1.run(
                ["samba-tool", "spn", "delete", f"{service}/{stage.name}"], check=False
            )  # beta's, after a failure
        stage.name = stage.alpha.fqdn


def let_alpha_write(stage: FileStage, *, too: bool) -> None:
    """Whether BIND takes updates signed with alpha's own key, besides the other one."""
    keys: dict[str, Path] = {TSIG_KEY: TSIG_KEY_FILE, ALPHAS_KEY: ALPHAS_KEY_FILE}
    bind.know(stage.lab.host("ns2"), keys, list(keys) if too else [TSIG_KEY])


def _give_alpha_a_key(stage: FileStage) -> None:
    text = f'key "{ALPHAS_KEY}" {{\n\talgorithm hmac-sha256;\n\tsecret "{bind.new_secret()}";\n}};\n'
    for host in (stage.alpha, stage.admin, stage.lab.host("ns2")):
        host.write(ALPHAS_KEY_FILE, text, 0o600)


def _settings(stage: FileStage, server: str, zones: list[str]) -> dict[str, Any]:
    pair = {"source": stage.alpha.address, "target": stage.beta.address}
    return {"servers": [server], "addresses": [pair], "zones": zones, "ttl_s": 30, "refresh_interval_s": 3}


def _taken_back(stage: FileStage, server: str, signed: list[str], env: dict[str, str] | None = None) -> str:
    """What alpha is answered when it leads its name to itself."""
    text = TAKEN_BACK.format(server=server, name=stage.name, address=stage.alpha.address)
    return stage.alpha.run(["nsupdate", *signed], input=text, env=env, check=False).stderr


def _records(
    stage: FileStage, server: str, questions: list[tuple[str, str]], more: list[str] | None = None
) -> list[str]:
    """The answers, sorted, without serial numbers."""
    words = ["dig", "+noall", "+answer", *(more or []), f"@{server}"]
    answers = [stage.client.run([*words, name, kind]).stdout for name, kind in questions]
    lines = [" ".join(line.split()) for answer in answers for line in answer.splitlines()]
    return sorted({line for line in lines if " SOA " not in line})


def _reverse(address: str) -> str:
    return ".".join([*reversed(address.split(".")), "in-addr.arpa"])
