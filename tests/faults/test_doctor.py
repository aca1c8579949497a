"""`dtam doctor` over real WinRM against a simulated server: what holds is proved, a planted fault makes exactly its row disproved, nothing is changed."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator.doctor.asking import examine, used_commands
from orchestrator.doctor.here import Here, of_zone
from orchestrator.doctor.judging import LEAST
from orchestrator.doctor.rows import Row
from orchestrator.hosts.winrm_laying import PLACE, lay
from orchestrator.hosts.winrm_watched import Questions, questions_of
from orchestrator.model.servers import Server, ServerName, Transport, WinRmAddress
from tests.lab.windows.starting import WindowsHost, windows_host

FULL_NAME = "alpha.lab.example"
VOLUMES = [{"letter": one} for one in "CEL"]
MACHINE = {"domain": "lab.example", "features": ["FS-FileServer", "Storage-Replica"], "volumes": VOLUMES}
SHELL = r"SOFTWARE\Microsoft\PowerShell\1\ShellIds\Microsoft.PowerShell"
VARIABLES = r"SYSTEM\CurrentControlSet\Control\Session Manager\Environment"
COMMANDS = "commands and parameters as used"
SERVICES = {
    "WinRM": "WinRM starts with the system",
    "Schedule": "the scheduler of tasks runs",
    "LanmanServer": "the Server service can be started",
    "Netlogon": "Netlogon is not disabled",
    "W32Time": "the time service is not disabled",
}
READ_ONLY = "O:SYG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;0x1200a9;;;BA)"
Rows = list[Row]


def refused(*_: Any) -> Any:
    raise ConnectionRefusedError(111, "Connection refused")


@dataclass
class Site:
    """A simulated server with the scripts laid, in a domain, and how it is looked at from here."""

    served: WindowsHost
    server: Server
    here: Here = field(default_factory=Here)
    modules: Any = None
    lie: Callable[[str, dict[str, Any]], None] | None = None
    questions: list[Questions] = field(default_factory=list)

    def do(self, call: str, *arguments: Any, **named: Any) -> Any:
        """Something of the machine's own objects."""
        return self.served.control.ask("machine", call=call, arguments=arguments, named=named)

    def way(self, server: Server) -> Questions:
        """The real way, or one whose answers are changed on the way."""
        made = questions_of(server, lambda account, _: self.served.passwords[account])
        self.questions.append(made)
        if self.lie is not None:
            made.send = self._lying(made.send, self.lie)  # type: ignore[method-assign]
        return made

    def _lying(self, send: Any, lie: Callable[[str, dict[str, Any]], None]) -> Any:
        def changed(name: str, *arguments: Any) -> Sequence[dict[str, Any]]:
            lines = [dict(one) for one in send(name, *arguments)]
            for line in lines:
                lie(name, line)
            return lines

        return changed

    def rows(self) -> Rows:
        """Every row of the server."""
        try:
            return list(examine(self.server, self.way, self.zone, here=self.here, modules=self.modules))
        finally:
            while self.questions:
                self.questions.pop().close()

    @staticmethod
    def zone(server: Server, domain: str) -> Row:
        return of_zone(server, domain, None)

    def disproved(self) -> list[str]:
        return [row.assumption for row in self.rows() if row.state == "disproved"]

    def at(self, **changes: Any) -> None:
        """Reached otherwise."""
        own = msgspec.structs.replace(self.server.own_winrm, **changes)
        self.server = msgspec.structs.replace(self.server, winrm=own)

    def state(self) -> dict[str, str]:
        """Everything that the machine keeps: its disks and its own state."""
        place = self.served.state / "machine"
        files = [one for one in sorted(place.rglob("*")) if one.is_file()]
        return {str(one.relative_to(place)): hashlib.sha256(one.read_bytes()).hexdigest() for one in files}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    place = tmp_path_factory.mktemp("doctor")
    with windows_host(place / "windows", machine=MACHINE) as served:
        address = served.address
        names = Here(lambda *_: (address,), lambda _: (FULL_NAME,), lambda *_: None)
        at = WinRmAddress(
            address, served.http_port, Transport.NTLM, account="dtam", host_name=FULL_NAME, computer="ALPHA"
        )
        site = Site(served, Server(ServerName("alpha"), (address,), winrm=at), names)
        first = site.way(site.server)
        lay(first)
        first.do("set_guard", {"Wanted": False})  # it looks, and notes that it looked, by itself
        first.close()
        site.questions.clear()
        yield site


@pytest.fixture
def site(made: Site) -> Site:
    return replace(made, questions=[])


def test_all_is_proved_on_a_server_on_which_all_holds_and_nothing_is_changed(site: Site) -> None:
    before = site.state()
    rows = site.rows()
    assert site.state() == before
    assert [(row.assumption, row.says) for row in rows if row.state == "disproved"] == []
    assert [row.assumption for row in rows if row.state == "unknown"] == [
        "its groups replicate",
        "the zone of its domain takes secure updates only",
    ]
    says = {row.assumption: row.says for row in rows}
    assert says["dtam logs in by ntlm"] == "seen: ntlm"
    assert says["what is said is encrypted: every message is sealed"].endswith(" answers came sealed, 0 did not")
    assert says["scripts that lie there run"] == "host_facts.ps1 was run and answered"
    assert {row.assumption.partition(":")[0] for row in rows if row.area == "commands"} == set(used_commands())


def test_before_anything_is_laid_it_says_what_lays_the_scripts_and_asks_all_else(tmp_path: Path, site: Site) -> None:
    with windows_host(tmp_path / "fresh", machine=MACHINE) as served:
        site.served = served
        site.at(address=served.address)
        before = site.state()
        rows = site.rows()
        assert site.state() == before
    unknown = {row.assumption: row for row in rows if row.state == "unknown" and row.area == "scripts"}
    assert {row.says for row in unknown.values()} == {"nothing is laid yet"}
    assert {row.next for row in unknown.values()} == {"dtam hosts install alpha, then ask again"}
    assert {"commands", "SMB", "services", "rights", "Storage Replica"} <= {
        row.area for row in rows if row.state == "proved"
    }


def registry(path: str, name: str, kind: str, value: Any) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        site.do("registry.put", path, name, kind, value)
        yield
        site.do("registry.drop", path, name)

    return planted


def kept(part: str, name: str, value: Any, afterwards: Any = None) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        site.do(f"{part}.plant", name, value)
        yield
        site.do(f"{part}.plant", name, afterwards)

    return planted


@contextmanager
def services(site: Site) -> Iterator[None]:
    before = {name: site.do("services.get", name)["start"] for name in SERVICES}
    for name in SERVICES:
        site.do("services.configure", name, start="Manual" if name == "WinRM" else "Disabled")
    yield
    for name, start in before.items():
        site.do("services.configure", name, start=start)


def smb(**changes: Any) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        before = {name: site.do("shares.configuration")[name] for name in changes}
        site.do("shares.configure", **changes)
        yield
        site.do("shares.configure", **before)

    return planted


def closed(folder: str) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        held = site.do("acls.data.set")
        site.do("acls.plant", "set", held | {folder: READ_ONLY})
        yield
        site.do("acls.plant", "set", held)

    return planted


def reached(**changes: Any) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        site.at(**changes)
        yield

    return planted


def here(**changes: Any) -> Any:
    @contextmanager
    def planted(site: Site) -> Iterator[None]:
        site.here = replace(site.here, **changes)
        yield

    return planted


LIES: dict[tuple[str, str], dict[str, Any]] = {
    ("doctor_mode.ps1", "mode"): {"version": "4.0"},
    ("doctor_echo.ps1", "echo"): {"filler": "dtam"},
    ("doctor_session.ps1", "computer"): {
        "member": False,
        "domain": "WORKGROUP",
        "os": "Microsoft Windows 11 Pro",
        "restart_pending": True,
    },
    ("doctor_server.ps1", "ports"): {"open": [5985]},
    ("doctor_server.ps1", "Storage Replica"): {"groups": ["rg1: Suspended"], "partnerships": ["rg1 to rg2"]},
}
"""Answers that the simulation cannot give."""


@contextmanager
def lies(site: Site) -> Iterator[None]:
    site.lie = lambda name, line: line.update(LIES.get((name, line["part"]), {}))
    yield


@contextmanager
def clock(site: Site) -> Iterator[None]:
    site.served.control.ask("clock", offset_s=-200)
    yield
    site.served.control.ask("clock", offset_s=0)


@contextmanager
def wrong_password(site: Site) -> Iterator[None]:
    right = site.served.passwords["dtam"]
    site.served.passwords["dtam"] = "not.this.1A"
    yield
    site.served.passwords["dtam"] = right


@contextmanager
def changed_script(site: Site) -> Iterator[None]:
    file = Path(site.do("files.open_path", f"{PLACE}\\guard.ps1"))
    held = file.read_bytes()
    file.write_bytes(held + b"# more")
    yield
    file.write_bytes(held)


@contextmanager
def bogus_parameter(site: Site) -> Iterator[None]:
    known = used_commands()
    more = {**known["SmbShare"], "New-SmbShare": [*known["SmbShare"]["New-SmbShare"], "Colour"]}
    site.modules = {**known, "SmbShare": more}
    yield


@pytest.mark.parametrize(
    "case",
    {
        "name": (here(addresses=refused), [f"{FULL_NAME} has an address"]),
        "backward": (here(names=lambda _: ("other.lab.example",)), ["its address leads back to its name"]),
        "password": (wrong_password, ["dtam logs in by ntlm"]),
        "no rights": (reached(account="nobody"), ["the account may open a shell"]),
        "no administrator": (reached(account="helper"), ["the account is an administrator"]),
        "another computer": (reached(computer="BETA"), ["it is the computer that was added"]),
        "language": (registry(VARIABLES, "__PSLockdownPolicy", "String", "4"), ["commands run in full language"]),
        "policy": (registry(SHELL, "ExecutionPolicy", "String", "Restricted"), ["scripts that lie on it run unsigned"]),
        "clock": (clock, ["its clock is within 60 s of ours"]),
        "channel": (kept("computer", "broken_channel", True, False), ["its secure channel to the domain holds"]),
        "programs": (closed(r"c:\program files"), ["administrators may write below Program Files"]),
        "tasks": (closed(r"c:\windows\system32\tasks"), ["administrators may make scheduled tasks"]),
        "services": (services, list(SERVICES.values())),
        "SMB": (smb(EnableSMB2Protocol=False), ["SMB 2 and 3 are served"]),
        "names": (smb(SmbServerNameHardeningLevel=1), ["it may answer to further names"]),
        "module": (kept("computer", "removed_modules", ["NetTCPIP"], []), [f"NetTCPIP: {COMMANDS}"]),
        "parameter": (bogus_parameter, [f"SmbShare: {COMMANDS}"]),
        "unencrypted": (
            kept("computer", "wsman", {"AllowUnencrypted": "true"}, {}),
            ["WinRM refuses messages that are not encrypted"],
        ),
        "limits": (
            kept("computer", "wsman", {name.rpartition("\\")[2]: str(least - 1) for name, least in LEAST.items()}, {}),
            [f"{name} is at least {least}" for name, least in LEAST.items()],
        ),
        "script": (changed_script, ["the scripts lie there, as they were laid"]),
        "lies": (
            lies,
            [
                "it is Windows PowerShell 5.1",
                "300 kB go in and out, by a command line of 8000 characters",
                "it is a member of a domain",
                "it is a Windows Server",
                "no restart is pending",
                "the Server service listens on port 445",
                "its groups replicate",
            ],
        ),
    }.items(),
    ids=lambda one: one[0],
)
def test_a_planted_fault_is_exactly_its_rows(site: Site, case: tuple[str, tuple[Any, list[str]]]) -> None:
    planted, rows = case[1]
    with planted(site):
        found = site.disproved()
    assert found == rows
    assert not site.served.control.ask("failures")


def test_messages_that_are_too_large_for_the_host_are_its_row(tmp_path: Path, site: Site) -> None:
    with windows_host(tmp_path / "small", machine=MACHINE, settings={"max_envelope_size_kb": 100}) as served:
        site.served = served
        site.at(address=served.address)
        assert site.disproved() == ["300 kB go in and out, by a command line of 8000 characters"]


def test_a_port_that_is_closed_is_its_row(site: Site) -> None:
    def connect(_: str, port: int) -> None:
        if port == site.served.http_port:
            refused()

    site.here = replace(site.here, connect=connect)
    assert site.disproved() == [f"port {site.served.http_port} takes connections from here"]


def test_https_is_seen_with_its_version(site: Site) -> None:
    site.at(tls=True, port=site.served.https_port, ca_file=str(site.served.ca_file), host_name="alpha")
    says = {row.assumption: row for row in site.rows()}
    row = says["what is said is encrypted: HTTPS, verified"]
    assert (row.state, row.says) == ("proved", "TLSv1.3, the certificate verifies")


def test_a_certificate_that_does_not_verify_is_its_row(site: Site) -> None:
    site.at(tls=True, port=site.served.https_port)
    assert site.disproved() == ["what is said is encrypted: HTTPS, verified"]
