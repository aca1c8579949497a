"""Calls of scripts on a Windows host, with answers from memory: what is asked again, what never is, what each refusal means."""

# ruff: noqa: ARG002 - the signatures of what is stood in for

from __future__ import annotations

import base64
import json
import ssl

import pytest
from spnego.exceptions import BadMICError
from winrm.exceptions import InvalidCredentialsError, WinRMTransportError, WSManFaultError

from orchestrator.hosts import errors
from orchestrator.hosts import winrm_scripts as laid
from orchestrator.hosts.winrm_calls import Caller
from orchestrator.hosts.winrm_failures import explained, of_words, plain
from orchestrator.hosts.winrm_laying import looked
from orchestrator.hosts.winrm_shell import Ended
from orchestrator.hosts.winrm_wire import LinkLost, NotReached

END = {"dtam": "end"}


class Told:
    """A shell that gives what it was told, in order, and remembers what it was given."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.given: list[dict] = []
        self.closed = 0

    def run(self, program: str, arguments: tuple[str, ...], given: bytes, budget_s: float) -> Ended:
        assert program == "powershell.exe"
        self.given.append(json.loads(given))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, Ended):
            return answer
        text = "".join(json.dumps(line, ensure_ascii=False) + "\r\n" for line in answer)
        return Ended(0, text.encode(), b"")

    def close(self) -> None:
        self.closed += 1


def caller(shell: Told) -> Caller:
    return Caller("wsrc", "http://wsrc:5985/wsman", "LAB\\ada", lambda: shell, sleep=lambda _: None)


def test_a_call_names_every_script_with_its_digest_and_gives_the_lines() -> None:
    shell = Told([{"a": "ä"}, {"b": [1, 2]}, END])
    assert caller(shell).ask("host_facts", {"Path": ["C:\\x"]}) == ({"a": "ä"}, {"b": [1, 2]})
    (request,) = shell.given
    assert request["script"] == "host_facts.ps1"
    assert request["deed"] is False
    assert [one["name"] for one in request["files"]] == ["call.ps1", "state.ps1", "host_facts.ps1"]
    assert all(one["sha256"] == laid.sha256_of(one["name"]) for one in request["files"])
    assert request["arguments"] == {"Path": ["C:\\x"]}


def test_words_of_powershell_between_the_lines_are_left_out_and_its_lists_are_lists() -> None:
    said = b'\xef\xbb\xbfWARNING: x\r\n{"a":{"value":[1,{"value":[],"Count":0}],"Count":2}}\r\n{"dtam":"end"}\r\n'
    assert caller(Told(Ended(0, said, b""))).ask("host_facts", {}) == ({"a": [1, []]},)


@pytest.mark.parametrize("line", [b'{"name":"Share', b'{"name":"\xff"}', b'{"a":1} {"b"'])
def test_a_line_that_is_not_whole_is_a_lost_answer_and_no_shorter_list(line: bytes) -> None:
    broken = Ended(0, line + b'\r\n{"dtam":"end"}\r\n', b"")
    assert caller(Told(broken, [{"name": "Share"}, END])).ask("host_facts", {}) == ({"name": "Share"},)


def test_a_text_with_other_line_separators_is_one_line() -> None:
    assert caller(Told([{"a": "x\u2028y\x85z"}, END])).ask("host_facts", {}) == ({"a": "x\u2028y\x85z"},)


def test_a_question_is_asked_again_when_its_answer_was_lost() -> None:
    shell = Told(LinkLost("reset"), NotReached("refused"), [{"a": 1}], [{"a": 1}, END])
    assert caller(shell).ask("host_facts", {}) == ({"a": 1},)
    assert len(shell.given) == 4


def test_a_deed_whose_answer_was_lost_is_asked_for_by_its_id() -> None:
    shell = Told(
        LinkLost("reset"),
        [{"dtam": "state", "state": "running"}, END],
        [{"dtam": "state", "state": "ended"}, {"changed": True}, END],
    )
    assert caller(shell).do("start_service", {"Name": "files"}) == ({"changed": True},)
    first, *questions = shell.given
    assert [one.get("ask") for one in questions] == [first["id"]] * 2
    assert all("script" not in one for one in questions)


def test_a_deed_that_never_began_is_sent_once_more_under_its_id() -> None:
    shell = Told(LinkLost("reset"), [{"dtam": "state", "state": "unknown"}, END], [{"changed": True}, END])
    assert caller(shell).do("start_service", {"Name": "files"}) == ({"changed": True},)
    assert shell.given[2] == shell.given[0]


def test_a_deed_that_was_interrupted_is_not_repeated() -> None:
    shell = Told(LinkLost("reset"), [{"dtam": "state", "state": "interrupted"}, END])
    with pytest.raises(errors.AnswerLost, match="interrupted"):
        caller(shell).do("start_service", {"Name": "files"})
    assert len(shell.given) == 2


def test_a_deed_that_failed_while_the_link_was_gone_still_says_so() -> None:
    failed = {
        "dtam": "error",
        "message": "it did not stop",
        "script": "stop_service.ps1",
        "line": 7,
        "category": "OperationStopped",
        "id": "x",
    }
    shell = Told(LinkLost("reset"), [{"dtam": "state", "state": "ended"}, failed])
    with pytest.raises(errors.HostScriptFailed, match=r"it did not stop \(stop_service.ps1, line 7\)"):
        caller(shell).do("stop_service", {"Name": "files"})


def test_a_host_that_was_never_reached_is_said_to_be_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.hosts.winrm_calls.LOST_BUDGET_S", 0.0)
    shell = Told(NotReached("No route to host"), NotReached("No route to host"))
    with pytest.raises(errors.WinRmUnreachable, match="No route to host"):
        caller(shell).do("start_service", {"Name": "files"})


@pytest.mark.parametrize(
    ("line", "error", "words"),
    [
        ({"message": "dtam-another BETA"}, errors.HostIsAnother, "is the computer BETA, not "),
        ({"message": "dtam-missing", "script": "call.ps1"}, errors.HostScriptMissing, "call.ps1 is not on wsrc"),
        ({"message": "dtam-changed 00ff", "script": "call.ps1"}, errors.HostScriptChanged, "SHA-256 is 00ff"),
        (
            {"message": "running scripts is disabled", "id": "UnauthorizedAccess", "category": "SecurityError"},
            errors.ScriptsForbidden,
            "running scripts is disabled",
        ),
        (
            {
                "message": "Cannot invoke method.",
                "id": "MethodInvocationNotSupportedInConstrainedLanguage",
                "category": "InvalidOperation",
            },
            errors.ScriptsForbidden,
            "Cannot invoke method",
        ),
        (
            {"message": "Access denied", "id": "NewItemUnauthorizedAccessError,x", "category": "PermissionDenied"},
            errors.HostScriptFailed,
            "Access denied",
        ),
        ({"message": "no", "script": "act.ps1", "line": 3}, errors.HostScriptFailed, r"no \(act.ps1, line 3\)"),
    ],
)
def test_what_a_script_refuses(line: dict, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        caller(Told([{"dtam": "error", **line}])).ask("host_facts", {})


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (
            "File C:\\x.ps1 cannot be loaded because running scripts is disabled on this system.",
            errors.ScriptsForbidden,
        ),
        ("... + FullyQualifiedErrorId : MethodInvocationNotSupportedInConstrainedLanguage", errors.ScriptsForbidden),
        ("The term 'x' is not recognized", errors.HostScriptFailed),
        ("", errors.HostScriptFailed),
    ],
)
def test_what_powershell_itself_says(words: str, error: type) -> None:
    with pytest.raises(error):
        caller(Told(Ended(1, b"", words.encode()))).ask("host_facts", {})


def test_an_error_stream_in_clixml_is_read_without_its_progress() -> None:
    text = '#< CLIXML\r\n<Objs><Obj S="progress"/><S S="Error">a &lt; b_x000D__x000A_</S><S S="Error">c</S></Objs>'
    assert plain(text) == "a < b\nc"
    assert "a < b c" in str(of_words("w", text, 1))


def fault(code: int, subcode: str = "w:InternalError") -> WSManFaultError:
    return WSManFaultError(500, "m", "", "The reason", "s:Receiver", subcode, code)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (InvalidCredentialsError("401"), errors.WinRmLoginRefused),
        (fault(5, "w:AccessDenied"), errors.WinRmNotAuthorised),
        (fault(2150859173), errors.WinRmQuota),
        (fault(1, "w:QuotaLimit"), errors.WinRmQuota),
        (fault(1, "w:EncodingLimit"), errors.WinRmQuota),
        (fault(995), errors.WinRmUnreachable),
        (WinRMTransportError("http", 403, ""), errors.WinRmNotAuthorised),
        (WinRMTransportError("http", 503, ""), errors.WinRmUnreachable),
        (ssl.SSLCertVerificationError("self-signed"), errors.WinRmCertificateRefused),
        (BadMICError(context_msg="Clock skew too great"), errors.WinRmClockOff),
        (BadMICError(context_msg="Cannot contact any KDC for realm"), errors.WinRmUnreachable),
        (BadMICError(context_msg="Preauthentication failed"), errors.WinRmLoginRefused),
    ],
)
def test_each_failure_on_the_way_has_its_own_error_with_a_hint(error: Exception, expected: type) -> None:
    made = explained(error, "wsrc", "http://wsrc:5985/wsman", "LAB\\ada")
    assert type(made) is expected
    assert made.hint
    assert "wsrc" in str(made)


def test_what_lies_on_a_host_is_compared_with_what_belongs_there() -> None:
    lines = [{"name": name, "sha256": laid.sha256_of(name).upper()} for name in laid.scripts()]
    lines[1]["sha256"] = "00"
    shell = Told([*lines[1:], {"name": "theirs.ps1", "sha256": "AA"}, END])
    found = {one.name: one.state for one in looked(caller(shell))}
    names = list(laid.scripts())
    assert (found[names[0]], found[names[1]], found[names[2]], found["theirs.ps1"]) == (
        "missing",
        "changed",
        "same",
        "strange",
    )


def test_what_is_laid_is_utf8_with_its_mark_and_windows_lines() -> None:
    content = laid.installed_bytes("call.ps1")
    assert content.startswith(b"\xef\xbb\xbf")
    assert content.count(b"\n") == content.count(b"\r\n") > 20


@pytest.mark.parametrize("name", [laid.LOADER, laid.INSTALLER])
def test_the_texts_that_are_sent_fit_a_command_line_with_room_to_spare(name: str) -> None:
    words = laid.arguments_of(name)
    assert len(" ".join((laid.PROGRAM, *words))) < laid.COMMAND_LINE_MAX * 7 // 8
    text = base64.b64decode(words[-1]).decode("utf-16-le")
    assert "<#" not in text
    assert "ReadToEnd" in text
    assert name not in laid.scripts()


def test_a_call_has_a_shell_for_itself_and_a_few_are_kept() -> None:
    shells: list[Told] = []

    def another() -> Told:
        shells.append(Told(*[[END]] * 9))
        return shells[-1]

    busy = Caller("wsrc", "x", "ada", another)
    with busy._shell() as first, busy._shell() as second:
        assert first is not second
        assert busy.ask("host_facts", {}) == ()
    assert (len(shells), sum(one.closed for one in shells)) == (3, 0)
    busy.ask("host_facts", {})
    assert len(shells) == 3
    busy.close()
    assert [one.closed for one in shells] == [1, 1, 1]
