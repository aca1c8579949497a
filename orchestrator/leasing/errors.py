"""What can go wrong with leases and grants. They share the exit code of a state directory that cannot be used."""

from __future__ import annotations

from orchestrator.errors import DtamError


class LedgerUnusable(DtamError):
    template = "the ledger of leases of {protection} cannot be used: {why}"
    exit_code = 25
    hint_template = (
        "it says who may be master; make room, or see docs/explanation/serve.md before anything of it is removed"
    )
