"""What can go wrong between a person, the control API and the daemon, each in one line.

Exit codes 64-69, 77 and 91-99 belong to this room.
"""

from __future__ import annotations

from orchestrator.errors import DtamError


class PortInUse(DtamError):
    template = "cannot listen on {protocol} {address}:{port}: {why}"
    exit_code = 64
    hint_template = "choose another with --{option}, or see who listens with 'ss -lntup'"


class StateFileDamaged(DtamError):
    template = "state file {path} cannot be read: {why}"
    exit_code = 65
    hint_template = "put the file back from a backup, or move it away and configure what it held again"


class StateInUse(DtamError):
    template = "another dtengine (pid {pid}) already runs on the state directory {path}"
    exit_code = 66
    hint_template = "stop it first, or give this one its own --state directory"


class EngineUnreachable(DtamError):
    template = "engine {where} cannot be reached: {why}"
    exit_code = 67
    hint_template = "see on that host whether dtengine runs ('dtengine status') and whether a firewall is between"


class WrongFingerprint(DtamError):
    template = "engine {where} shows another certificate than the pinned one ({fingerprint}): {why}"
    exit_code = 68
    hint_template = "compare with 'dtengine server' on that host; pair again only if you know why its key changed"


class TicketMissing(DtamError):
    template = "no Kerberos ticket for the engine on {host}: {why}"
    exit_code = 77
    hint_template = "see 'klist'; kinit, or give a keytab; the domain must know HTTP/{host} or host/{host}, and clocks must agree to 5 minutes"


class AnswerRefused(DtamError):
    """An engine understood and said no. Its own sentence, hint and exit code are kept."""

    template = "{message}"
    exit_code = 69
    hint_template = "{hint}"

    def __init__(self, *, message: str, hint: str, error: str, status: int, answered_exit_code: int) -> None:
        super().__init__(message=message, hint=hint, error=error, status=status)
        self.error = error
        self.status = status
        self.exit_code = answered_exit_code  # type: ignore[misc]  # the refusing engine knows which of its codes it is


class Unauthorised(DtamError):
    template = "not allowed: {why}"
    exit_code = 91
    hint_template = "{hint}"


class Forbidden(Unauthorised):
    """Somebody who is known, and may not."""


class TooManyFailures(Unauthorised):
    """A source that was wrong too often must wait."""


class Unknown(DtamError):
    template = "no {kind} {name} on this engine"
    exit_code = 92
    hint_template = "list what there is with 'dtengine {listing}'"


class Conflict(DtamError):
    template = "{what} is not possible now: {why}"
    exit_code = 93
    hint_template = "{hint}"


class BadRequest(DtamError):
    template = "the request is not understood: {why}"
    exit_code = 94
    hint_template = "the accepted fields, limits and units are in 'dtengine openapi'"


class Fenced(DtamError):
    template = "{what} is refused: the fence of protection {protection} holds: {why}"
    exit_code = 95
    hint_template = (
        "see 'dtengine fence --check {protection}'; a person who knows that the other side is down may unfence it"
    )


class ServiceFailed(DtamError):
    template = "service {name} did not {deed}: {why}"
    exit_code = 96
    hint_template = "its output is in {output}"


class ScriptRefused(DtamError):
    template = "script {name} of protection {protection} is not run: {why}"
    exit_code = 97
    hint_template = "'dtam scripts accept {name}' delivers it as it is, 'dtam scripts deliver' a new one"


class PairingFailed(DtamError):
    template = "pairing with {where} failed: {why}"
    exit_code = 98
    hint_template = "{hint}"


class SettingsUnreadable(DtamError):
    template = "settings file {path}: {why}"
    exit_code = 99
    hint_template = "the settings and their limits are in 'dtengine run --help'"
