"""The two ends of a session without sockets, clocks or files: events in, actions out, time as an argument.

The real threads (``source``, ``target``) and a seeded simulation drive the same code. Invariants:

- operations are sent in the order of their sequences, from the acknowledged one on, each at most once a session;
- a mirror item that was read when the log stood at L is sent after the operations up to L and before any later one;
- the target passes on a run only if it continues what it has, and a mirror item only in its place;
- a target that holds a newer epoch, or that was promoted, takes nothing.

Neither class is safe for several threads: their drivers hold a lock.
"""

from __future__ import annotations

from orchestrator.engine.transfer.session import Phase, SessionLimits, Terms
from orchestrator.engine.transfer.source_session import SourceSession
from orchestrator.engine.transfer.target_session import TargetSession, refusal, verify_run

__all__ = ["Phase", "SessionLimits", "SourceSession", "TargetSession", "Terms", "refusal", "verify_run"]
