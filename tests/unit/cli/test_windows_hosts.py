"""``dtam hosts`` for Windows servers: how they are known, laid with scripts, tested and forgotten, against a host in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.dtam import dtam
from orchestrator.cli.windows_hosts import WinRmChoice
from orchestrator.hosts import winrm_scripts as laid
from orchestrator.hosts.errors import WinRmLoginRefused
from orchestrator.model.servers import Server, Transport

Run = Callable[..., Result]
SCRIPTS = len(laid.scripts())


class PretendedHost:
    """What lies there, and what was done; its password is ``right``."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.done: list[tuple[str, dict[str, Any]]] = []
        self.server: Server | None = None
        self.password = ""

    def caller(self, server: Server, passwords: Callable[[str, str], str], **_: float) -> PretendedHost:
        self.server = server
        account = server.own_winrm.account
        self.password = passwords(account, server.name) if account else "right"
        return self

    def install(self, deed: str, names: tuple[str, ...]) -> tuple[dict[str, str], ...]:
        if self.password != "right":
            raise WinRmLoginRefused(server="wsrc", where="x", account="LAB\\dtam", why="no", advice="x")
        if deed == "lay":
            self.files |= {name: laid.sha256_of(name) for name in names}
        found: tuple[dict[str, str], ...] = tuple(
            {"name": name, "sha256": digest} for name, digest in self.files.items()
        )
        if deed == "remove":
            self.files.clear()
        return ({"computer": "WSRC"}, *found)

    def ask(self, script: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], ...]:  # noqa: ARG002
        assert script == "host_facts"
        return ({"addresses": [["192.0.2.30", "LAN"], ["fe80::1%4", "LAN"], ["10.9.9.9", "Replication"]]},)

    def do(self, script: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        self.done.append((script, arguments))
        return ({"changed": True},)

    def close(self) -> None:
        pass


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> PretendedHost:
    made = PretendedHost()
    monkeypatch.setattr("orchestrator.reaching.caller_of", made.caller)
    return made


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("DTAM_HOME", str(tmp_path / "home"))

    def invoke(*words: str) -> Result:
        return CliRunner().invoke(dtam, ["hosts", *words])

    return invoke


@pytest.fixture
def password(tmp_path: Path) -> Callable[[str], str]:
    def write(text: str) -> str:
        file = tmp_path / "password"
        file.touch(0o600)
        file.write_text(text)
        return str(file)

    return write


def test_a_server_is_known_laid_tested_and_forgotten(run: Run, host: PretendedHost) -> None:
    added = run("add", "wsrc", "--winrm", "192.0.2.30", "--host-name", "wsrc.lab.example", "--json")
    assert added.exit_code == 0, added.output
    document = json.loads(added.stdout)
    assert (document["platform"], document["addresses"]) == ("windows", ["192.0.2.30"])
    assert (document["winrm"]["port"], document["winrm"]["computer"]) == (5985, "WSRC")
    assert f"{SCRIPTS} missing" in document["says"]

    assert run("test", "wsrc").exit_code == 1
    plan = run("install", "wsrc", "--plan", "--json")
    assert (plan.exit_code, host.files) == (0, {})
    assert {one["state"] for one in json.loads(plan.stdout)["scripts"]} == {"missing"}
    installed = run("install", "wsrc", "--yes", "--json")
    assert installed.exit_code == 0, installed.output
    assert len(json.loads(installed.stdout)["laid"]) == SCRIPTS
    assert host.done == [("set_guard", {"Wanted": True})]
    listed = json.loads(run("list", "--json").stdout)
    assert listed[0]["addresses"] == ["192.0.2.30", "10.9.9.9"]
    assert json.loads(run("install", "wsrc", "--yes", "--json").stdout)["laid"] == []
    assert run("test", "wsrc").exit_code == 0

    host.files["call.ps1"] = "00"
    changed = run("test", "wsrc")
    assert (changed.exit_code, "1 changed" in changed.output) == (1, True)
    assert json.loads(run("install", "wsrc", "--yes", "--json").stdout)["laid"] == ["call.ps1"]
    assert run("remove", "wsrc", "--uninstall", "--plan").exit_code == 0
    assert host.files
    assert run("remove", "wsrc", "--uninstall", "--yes").exit_code == 0
    assert host.files == {}
    assert run("list").output.startswith("no server is known")


def test_a_wrong_password_is_not_kept(
    run: Run, host: PretendedHost, password: Callable[[str], str], tmp_path: Path
) -> None:
    words = ("add", "wsrc", "--winrm", "192.0.2.30", "--transport", "ntlm", "--account", "LAB\\dtam", "--password-file")
    assert isinstance(run(*words, password("wrong")).exception, WinRmLoginRefused | SystemExit)
    assert not (tmp_path / "home" / "credentials.json").exists()
    right = run(*words, password("right"))
    assert right.exit_code == 0, right.output
    assert "right" not in right.output


@pytest.mark.parametrize(
    "words",
    [
        ("--winrm", "a", "--address", "b"),
        ("--winrm", "a", "--token-file", "b"),
        ("--winrm", "a", "--kerberos", "a.lab.example"),
        ("--winrm", "a", "--transport", "ntlm"),
        (),
    ],
)
def test_what_does_not_go_together(run: Run, host: PretendedHost, words: tuple[str, ...]) -> None:
    assert run("add", "wsrc", *words).exit_code == 2


@pytest.mark.parametrize(
    ("choice", "keytab", "expected"),
    [
        (WinRmChoice("a"), None, (5985, False)),
        (WinRmChoice("a", https=True), None, (5986, True)),
        (WinRmChoice("a", ca_file=Path("ca.pem")), None, (5986, True)),
        (WinRmChoice("a", Transport.BASIC_HTTPS, "dtam"), None, (5986, True)),
        (WinRmChoice("a", winrm_port=15985), Path("k"), (15985, False)),
    ],
)
def test_the_way_is_kept_whole(choice: WinRmChoice, keytab: Path | None, expected: tuple[int, bool]) -> None:
    made = choice.address("dtam@LAB.EXAMPLE" if keytab else None, keytab)
    assert (made.port, made.tls) == expected


@pytest.mark.parametrize(
    ("choice", "principal", "keytab"),
    [
        (WinRmChoice("a"), "p", None),
        (WinRmChoice("a", account="LAB\\dtam"), "p", Path("k")),
        (WinRmChoice("a", Transport.CERTIFICATE), None, None),
        (WinRmChoice("a", Transport.NTLM, "dtam"), "p", Path("k")),
        (WinRmChoice("a", certificate_file=Path("c"), key_file=Path("k")), None, None),
    ],
)
def test_what_belongs_together_is_asked_for(choice: WinRmChoice, principal: str | None, keytab: Path | None) -> None:
    with pytest.raises(click.UsageError):
        choice.address(principal, keytab)
