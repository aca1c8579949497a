"""What a person can get wrong in settings and plans, each in one line. Exit codes 7 and 10-19 belong to this room and the stages."""

from __future__ import annotations

from orchestrator.errors import DtamError


class FileUnreadable(DtamError):
    template = "{path}{place}: the protection file cannot be read: {why}"
    exit_code = 10
    hint_template = "mend the file at that place and run the same command again"


class SettingsInvalid(DtamError):
    template = "{problems}"
    exit_code = 11
    hint_template = "{advice}"


class PlanRefused(DtamError):
    template = "the plan to {kind} {protection} refuses itself: {reasons}"
    exit_code = 12
    hint_template = "mend what is named, then look again with --plan"


class PlanChanged(DtamError):
    template = "the plan that was read ({wanted}) is not the plan of now ({actual})"
    exit_code = 13
    hint_template = "read it again with --plan, then give the new id"


class NotInThisState(DtamError):
    template = "{command} does not fit {protection}, which is {state}: {reason}"
    exit_code = 14
    hint_template = "{advice}"


class ServerUnknown(DtamError):
    template = "server {name} is not known{among}"
    exit_code = 15
    hint_template = (
        "add it: dtam hosts add {name} --address ADDRESS --token-file FILE, or --winrm ADDRESS of a Windows server"
    )


class ServerWithoutEngine(ServerUnknown):
    template = "server {server} runs Windows: there is no engine on it"
    hint_template = "what an engine does is done there by scripts and by dtam serve: docs/how-to/windows-hosts.md"


class ServerWithoutWinRm(ServerUnknown):
    template = "server {server} is reached by its engine, not by WinRM"
    hint_template = (
        "know it anew as a Windows server: dtam hosts remove {server}, then dtam hosts add {server} --winrm ADDRESS"
    )


class ChecksFailed(DtamError):
    template = "{protection} does not pass {count}: {first}"
    exit_code = 16
    hint_template = "{advice}"


class StepFailed(DtamError):
    template = "{kind} of {protection} stopped at step {step}: {reason}"
    exit_code = 18
    hint_template = "{advice}"


class SourceIsTarget(DtamError):
    template = "{name} cannot be a source: it is the target of protection {protection}"
    exit_code = 19
    hint_template = "disable {protection} first, or choose another source"


class AccountInvalid(DtamError):
    template = "{name!r} is not the name of an account: {why}"
    exit_code = 7
    hint_template = r"give USER, DOMAIN\USER or USER@DOMAIN, the domain in full after the @"
