"""Lines of Windows scripts as values of the model, and how an account logs in."""

# ruff: noqa: ARG002 - the signatures of what is stood in for

from __future__ import annotations

import pytest

from orchestrator.hosts.errors import AnswerLost, NotOnThisPlatform
from orchestrator.hosts.winrm import WinRmHost
from orchestrator.hosts.winrm_facts import arguments_of, windows_of
from orchestrator.hosts.winrm_login import LoginFailed, login_of, principal_of
from orchestrator.model.outcomes import GiveUp, Result, TryAgain
from orchestrator.model.servers import Transport, WinRmAddress
from orchestrator.model.windows import EventAsk, RegistryAsk, Windows, WindowsAsk

LINES = (
    {"part": "computer", "computer_name": "WSRC", "role": "member-server", "elevated": True, "time_s": 1010.5},
    {
        "part": "services",
        "name": "LanmanServer",
        "state": "running",
        "start_type": "automatic",
        "needs": ["srv2"],
        "dependents": ["Browser"],
    },
    {
        "part": "shares",
        "name": "data",
        "path": "E:\\data",
        "options": {"EncryptData": False},
        "sddl": "D:(A;;FA;;;S-1-5-21-1-2-3-500)",
    },
    {"part": "smb_server", "EnableStrictNameChecking": True},
    {"part": "optional_names", "names": ["ALPHA"]},
    {"part": "sids", "local_sid": "S-1-5-21-1-2-3", "unresolved": ["S-1-5-21-9-9-9-1"]},
    {"part": "presence", "features": ["FS-FileServer"], "missing_modules": [], "missing_commands": ["Get-SRGroup"]},
    {"part": "registry", "key": "HKLM:\\X", "name": "y", "exists": True, "kind": "MultiString", "value": ["a", "b"]},
    {"part": "problem", "of": "disks", "says": "Access denied"},
)


def test_the_parts_make_one_host() -> None:
    found = windows_of(LINES, 1000.0)
    assert (found.computer_name, found.is_member, found.clock_offset_s) == ("WSRC", True, 10.5)
    service = found.service("lanmanserver")
    assert service is not None
    assert (service.is_running, service.needs, service.dependents) == (True, ("srv2",), ("Browser",))
    assert found.shares[0].sids == ("S-1-5-21-1-2-3-500",)
    assert found.smb_server == {"EnableStrictNameChecking": True}
    assert (found.optional_names, found.unresolved_sids) == (("ALPHA",), ("S-1-5-21-9-9-9-1",))
    assert found.missing_commands == ("Get-SRGroup",)
    assert found.registry[0].value == ["a", "b"]
    assert found.problems == ("disks: Access denied",)


def test_only_what_is_asked_for_is_said() -> None:
    assert arguments_of(WindowsAsk()) == {}
    asked = WindowsAsk(
        registry=(RegistryAsk("HKLM:\\X", "y"),), events=(EventAsk("System", (7036,), 5, 60.0),), sids=("S-1-1-0",)
    )
    assert arguments_of(asked) == {
        "Registry": [{"key": "HKLM:\\X", "name": "y"}],
        "Events": [{"log": "System", "ids": [7036], "limit": 5, "within_s": 60.0}],
        "Sids": ["S-1-1-0"],
    }


class Told:
    """A caller that remembers what was asked and gives what it was told."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.calls: list[tuple[str, str, dict]] = []

    def ask(self, script: str, arguments: dict, budget_s: float = 0.0) -> tuple:
        return self._answer("ask", script, arguments)

    def do(self, script: str, arguments: dict, budget_s: float = 0.0) -> tuple:
        return self._answer("do", script, arguments)

    def _answer(self, kind: str, script: str, arguments: dict) -> tuple:
        self.calls.append((kind, script, dict(arguments)))
        answer = self.answers.pop(0) if self.answers else ()
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_what_only_engines_have_is_refused_in_words() -> None:
    host = WinRmHost("wsrc", Told())
    for question in (
        host.engine,
        lambda: host.samba("/etc/samba/smb.conf"),
        lambda: host.own_keytab("/k", 0, 0o600),
        lambda: host.act("p", "failover", {}),
    ):
        with pytest.raises(NotOnThisPlatform, match="wsrc runs Windows"):
            question()


def test_a_lost_answer_is_worth_another_look() -> None:
    host = WinRmHost("wsrc", Told(AnswerLost(server="wsrc", why="reset")))
    with pytest.raises(TryAgain, match="did not say"):
        host.start_service("server")


def test_a_service_without_a_windows_name_is_refused() -> None:
    with pytest.raises(GiveUp, match="names no Windows service"):
        WinRmHost("wsrc", Told()).set_start_type({"name": "files"}, "manual")


def test_actions_say_only_what_they_were_given() -> None:
    told = Told()
    host = WinRmHost("wsrc", told)
    host.act("p", "renew_lease", {"epoch": 2, "n": 7, "boot": "b", "until_s": None})
    host.act("p", "fence", {"reason": "a test"})
    assert told.calls == [
        ("do", "act", {"Protection": "p", "Action": "renew_lease", "Epoch": 2, "Number": 7, "Boot": "b"}),
        ("do", "act", {"Protection": "p", "Action": "fence", "Reason": "a test"}),
    ]


def test_a_run_is_read_from_its_lines() -> None:
    lines = [
        '{"t": 1.0, "step": "a", "event": "about-to", "says": "begin"}',
        '{"t": 3.5, "step": "a", "event": "done", "says": "made"}',
        '{"t": 4.0, "step": "b", "event": "fai',
    ]
    told = Told(({"state": "failed", "code": 1, "output": "x\nno room\n", "lines": lines},))
    run = WinRmHost("wsrc", told).script_run("run-1", "post_failover")
    assert run is not None
    assert (run.state, run.steps, run.says) == ("failed", {"a": "done"}, "made | no room")
    assert [(one.result, one.seconds) for one in run.outcomes] == [(Result.DONE, 2.5)]
    assert WinRmHost("wsrc", Told()).script_run("run-2", "post_failover") is None


@pytest.mark.parametrize(
    ("account", "host_name", "principal"),
    [
        ("ada@lab.example", "", "ada@LAB.EXAMPLE"),
        ("LAB\\ada", "", "ada@LAB.EXAMPLE"),
        ("LAB\\ada", "w1.other.example", "ada@OTHER.EXAMPLE"),
        ("lab.example\\ada", "w1.other.example", "ada@LAB.EXAMPLE"),
    ],
)
def test_an_account_as_kerberos_names_it(account: str, host_name: str, principal: str) -> None:
    assert principal_of(WinRmAddress("w1.lab.example", account=account, host_name=host_name)) == principal


def test_a_password_is_asked_for_only_where_one_is_needed() -> None:
    def never() -> str:
        raise AssertionError

    files = {"certificate_file": "c.pem", "key_file": "k.pem"}
    login = login_of(WinRmAddress("w", 5986, Transport.CERTIFICATE, tls=True, **files), never)
    assert login.certificate == ("c.pem", "k.pem")
    assert login_of(WinRmAddress("w", keytab="/k", principal="a@B"), never).account == "a@B"
    basic = login_of(WinRmAddress("w", 5986, Transport.BASIC_HTTPS, tls=True, account="ada"), lambda: "secret")
    assert "secret" not in repr(basic)
    assert "YWRh" not in repr(basic)


@pytest.mark.parametrize(("known", "asked"), [("WSMAN", ["WSMAN"]), ("HTTP", ["WSMAN", "HTTP"])])
def test_tickets_are_for_the_service_that_stays_and_else_for_http(
    known: str, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    services: list[str] = []

    class Context:
        def step(self) -> bytes:
            if services[-1] != known:
                raise LoginFailed("no ticket") from OSError("Server not found in Kerberos database")
            return b"token"

    def client(*_: object, service: str, **__: object) -> Context:
        services.append(service)
        return Context()

    monkeypatch.setattr("spnego.client", client)
    context = login_of(WinRmAddress("w.lab.example"), lambda: "").context
    assert context is not None
    assert context(None)[1] == b"token"
    assert services == asked


def test_nothing_said_is_an_empty_host() -> None:
    assert windows_of((), 0.0) == Windows()


@pytest.mark.parametrize("transport", [Transport.BASIC_HTTPS, Transport.CERTIFICATE])
def test_a_login_that_seals_nothing_is_for_https_only(transport: Transport) -> None:
    with pytest.raises(ValueError, match="HTTPS only"):
        WinRmAddress("w", transport=transport, account="ada")
