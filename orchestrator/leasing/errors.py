"""What can go wrong with the ledger of leases."""

from __future__ import annotations

from orchestrator.model.outcomes import GiveUp


class LedgerUnusable(GiveUp):
    """The file that says what was promised cannot be read or written; nothing is given and nothing is granted then."""

    def __init__(self, protection: str, why: str) -> None:
        hint = "it says who may be master; make room, or see docs/explanation/serve.md before anything of it is removed"
        super().__init__(f"the ledger of leases of {protection} cannot be used: {why}", hint)
