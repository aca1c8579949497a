"""What can go wrong with leases and grants. Exit codes 60, 62 and 63 belong here and to `dtam serve`."""

from __future__ import annotations

from orchestrator.errors import DtamError


class LedgerUnusable(DtamError):
    template = "the ledger of leases of {protection} cannot be used: {why}"
    exit_code = 60
    hint_template = (
        "it says who may be master; make room, or see docs/explanation/serve.md before anything of it is removed"
    )
