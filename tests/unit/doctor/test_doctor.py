"""What `dtam doctor` makes of answers, that it asks for exactly what the scripts use, and what its report leaves out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from orchestrator.doctor.asking import LINE_CHARS, examine, used_commands
from orchestrator.doctor.here import Here
from orchestrator.doctor.judging import may_make, of_server, of_session
from orchestrator.doctor.report import document, without_names
from orchestrator.doctor.rows import Row, unknown
from orchestrator.errors import DtamError
from orchestrator.hosts import errors, winrm_scripts
from orchestrator.hosts.winrm_watched import Seen
from orchestrator.model.servers import Server, ServerName, Transport, WinRmAddress
from tests.unit.doctor.used import used

HERE = Here(lambda *_: ("192.0.2.7",), lambda _: ("alpha.lab.example",), lambda *_: None)
AT = WinRmAddress("alpha.lab.example", 5985, Transport.NTLM, account="LAB\\ada", computer="ALPHA")
SERVER = Server(ServerName("alpha"), ("192.0.2.7",), winrm=AT)
WHO: dict[str, Any] = {"server": "alpha", "where": "http://alpha.lab.example:5985/wsman", "account": "LAB\\ada"}
PROGRAM_FILES = (  # as a Windows Server has it: the owner is the installer of modules
    "O:S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464D:PAI"
    "(A;;FA;;;S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464)(A;;0x1301bf;;;SY)(A;OICIIO;GA;;;SY)"
    "(A;;0x1301bf;;;BA)(A;OICIIO;GA;;;BA)(A;;0x1200a9;;;BU)"
)


class Refusing:
    """A way that leads nowhere."""

    def __init__(self, error: DtamError, seen: Seen | None = None) -> None:
        self.error, self.seen = error, seen or Seen()

    def send(self, *_: Any, **__: Any) -> Any:
        raise self.error

    ask = send
    laid = send


def test_the_commands_asked_for_are_those_that_scripts_use() -> None:
    assert used_commands() == used(), "python -m tests.unit.doctor.used"


def test_the_command_line_that_is_tried_is_longer_than_every_one_of_ours_and_fits() -> None:
    sent = (winrm_scripts.LOADER, winrm_scripts.INSTALLER, "doctor_server.ps1", "doctor_session.ps1")
    ours = max(len(" ".join(("powershell.exe", *winrm_scripts.arguments_of(one)))) for one in sent)
    tried = len(" ".join(("powershell.exe", *winrm_scripts.arguments_of("doctor_echo.ps1", LINE_CHARS))))
    assert ours < LINE_CHARS <= tried <= winrm_scripts.COMMAND_LINE_MAX


@pytest.mark.parametrize(
    ("error", "seen", "row"),
    [
        (errors.WinRmLoginRefused(**WHO, why="no", advice=""), Seen(), ("dtam logs in by ntlm", "disproved")),
        (errors.WinRmNotAuthorised(server="alpha", account="ada", why=""), Seen(), ("the account may open a shell", "disproved")),
        (errors.WinRmQuota(server="alpha", why=""), Seen(), ("the account may open a shell", "disproved")),
        (errors.WinRmClockOff(server="alpha", why=""), Seen(), ("its clock is within 60 s of ours", "disproved")),
        (errors.AnswerLost(server="alpha", why=""), Seen(unsealed=1), ("what is said is encrypted: every message is sealed", "disproved")),
        (errors.WinRmUnreachable(server="alpha", where="", why=""), Seen(), ("dtam logs in by ntlm", "unknown")),
    ],
)  # fmt: skip
def test_a_way_that_ends_early_says_where(error: DtamError, seen: Seen, row: tuple[str, str]) -> None:
    def zone(server: Server, _: str) -> Row:
        return unknown(str(server.name), "DNS", "zone", "")

    rows = list(examine(SERVER, lambda _: Refusing(error, seen), zone, here=HERE))
    assert [(one.assumption, one.state) for one in rows[-2:]] == [row, ("all else can be asked", "unknown")]


@pytest.mark.parametrize(
    ("sddl", "may"),
    [
        (PROGRAM_FILES, True),
        ("O:SYD:(A;OICIIO;FA;;;BA)", False),
        ("O:SYD:(A;;0x1200a9;;;BA)", False),
        ("O:SYD:(D;;0x6;;;BA)(A;;FA;;;BA)", False),
        ("O:SYD:(A;;0x2;;;BA)(A;;0x4;;;BA)", True),
        ("O:SYD:(A;;FA;;;SY)", False),
    ],
)
def test_who_may_make_files_is_read_from_the_access_list(sddl: str, *, may: bool) -> None:
    assert may_make(sddl) is may


def test_a_part_that_could_not_be_asked_is_not_known_and_says_why() -> None:
    lines = [{"part": "problem", "of": "SMB server", "says": "Access is denied."}]
    assert [(row.assumption, row.state, row.says) for row in of_server("alpha", lines)] == [
        ("its SMB server can be asked", "unknown", "Access is denied.")
    ]


def test_the_standard_edition_is_told_with_its_limits() -> None:
    line = {"part": "computer", "name": "ALPHA", "member": True, "domain": "lab.example", "os": "Microsoft Windows Server 2019 Standard", "version": "10.0.17763", "sku": 7, "restart_pending": False}  # fmt: skip
    row = next(one for one in of_session("alpha", [line], 0, "") if one.area == "Storage Replica")
    assert (row.state, "one volume of at most 2 TB" in row.says) == ("unknown", True)


def test_a_target_whose_server_service_waits_is_not_blamed_for_its_port() -> None:
    lines = [
        {"part": "services", "name": "LanmanServer", "start": "Manual", "state": "Stopped"},
        {"part": "ports", "open": [5985]},
    ]
    assert [row.state for row in of_server("alpha", lines)] == ["proved", "unknown"]


def test_the_report_names_no_network_and_the_other_one_does() -> None:
    rows = [
        Row("alpha", "DNS", "alpha.lab.example has an address", "proved", "192.0.2.7, fd00::7"),
        Row("alpha", "rights", "the account is an administrator", "proved", "LAB\\ada, with the full token"),
        Row("alpha", "domain", "it is a member of a domain", "proved", "a member of lab.example"),
        Row("alpha", "system", "it is a Windows Server", "proved", "Microsoft Windows Server 2022, 10.0.20348"),
        unknown("alpha", "scripts", "laid", "S-1-5-21-1-2-3-500", "dtam hosts install alpha"),
    ]
    plain = json.dumps(document(without_names(rows, [SERVER]), "1", 0))
    for name in ("alpha", "ALPHA", "lab.example", "LAB", "ada", "192.0.2.7", "fd00::7", "1-2-3-500"):
        assert name not in plain, plain
    assert "server1 has an address" in plain
    assert "10.0.20348" in plain
    assert "alpha.lab.example" in json.dumps(document(rows, "1", 0))
