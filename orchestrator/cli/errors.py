"""What a person can get wrong at the command line, each in one line. Exit codes 20-29 belong to this room."""

from __future__ import annotations

from orchestrator.errors import DtamError


class PluginNotInstalled(DtamError):
    template = "the plugin for {application} is not installed: installed are {installed}"
    exit_code = 20
    hint_template = "install a package that offers '{application}' in the entry point group dtam.plugins"


class ApplicationNotChosen(DtamError):
    template = "no application is chosen: {command} needs one of {choices}"
    exit_code = 21
    hint_template = "dtam --fileprint {command} --help"


class ProtectionNotChosen(DtamError):
    template = "no protection is chosen: there are {names}"
    exit_code = 22
    hint_template = "name it: dtam {command} --protection NAME"


class AnswerNeeded(DtamError):
    template = "{what} is not given, and there is no terminal to ask on"
    exit_code = 23
    hint_template = "give {flag}"


class NotConfirmed(DtamError):
    template = "{what} was not confirmed: nothing was changed"
    exit_code = 24
    hint_template = "say yes when asked, or give --yes"


class HomeNotUsable(DtamError):
    template = "state directory {path} cannot be used: {why}"
    exit_code = 25
    hint_template = "give another directory in the environment variable DTAM_HOME"


class RunUnfinished(DtamError):
    template = "the {kind} {run} is not finished: {says}"
    exit_code = 26
    hint_template = "{command} --resume goes on with it, {command} --undo takes it back, --anew leaves it as it is"


class ScriptUnknown(DtamError):
    template = "protection {protection} has no script {script}: there are {known}"
    exit_code = 27
    hint_template = "dtam scripts list --protection {protection}"


class CommandsUnreadable(DtamError):
    template = "the file {path} with your own commands cannot be read: {why}"
    exit_code = 28
    hint_template = "give a text file with bash commands: --own FILE"


class NotVerifiable(DtamError):
    template = "the data of {protection} cannot be verified now: {why}"
    exit_code = 90
    hint_template = "dtam status says how it stands; wait until it replicates and no mirror runs"


class ScriptBelongsToPlan(ScriptUnknown):
    template = "{script} is run by a plan, never by itself: only {by_hand} is run by hand"
    hint_template = (
        "see what it would do: dtam scripts run {script} --dry-run; to have it done: dtam failover, dtam failback"
    )


class ScriptFailed(ScriptBelongsToPlan):
    template = "{script} {ended} on {server}: {says}"
    hint_template = "mend it, then go on where it ended: dtam scripts run {script} --run-id {run_id}"
