"""What can go wrong with what dtam remembers, each in one line. Exit codes 8, and 80-84 shared with the engine's journal."""

from __future__ import annotations

from orchestrator.errors import DtamError


class StoreUnusable(DtamError):
    template = "the store {path} cannot be used: {why}"
    exit_code = 80
    hint_template = "{advice}"


class JournalDamaged(DtamError):
    template = "the journal {path} is damaged at line {line}: {why}"
    exit_code = 81
    hint_template = (
        "everything before that line is true; compare with dtam status, and mend by hand before moving the file away"
    )


class RunBusy(DtamError):
    template = "{what} is busy: {who} works on it"
    exit_code = 82
    hint_template = "wait until it has ended, or look with: dtam history"


class RunUnknown(DtamError):
    template = "there is no run {run}"
    exit_code = 83
    hint_template = "dtam history lists the runs"


class ProtectionUnknown(DtamError):
    template = "there is no protection {protection}"
    exit_code = 84
    hint_template = "dtam status lists the protections; dtam setup makes one"


class CredentialUnusable(DtamError):
    template = "the password of {account} cannot be had: {why}"
    exit_code = 8
    hint_template = "{advice}"


class OptionsUnreadable(StoreUnusable):
    template = "the options {path} cannot be used: {why}"
    hint_template = "dtam options --defaults writes them anew"
