"""What travels between an engine and the witness: JSON bodies, one small struct a request.

Answers are ``rules.LeaseAnswer`` and ``rules.GrantAnswer``; ``expires_in_s`` of a view is null while held.
"""

from __future__ import annotations

import msgspec

DEFAULT_LEASE_S = 30.0


class RegisterRequest(msgspec.Struct, frozen=True):
    """POST /v1/protections/{id}/register."""

    epoch: int
    holder: str
    lease_s: float = DEFAULT_LEASE_S
    target: str = ""
    """The engine whose promises the holder counts upon: the next epoch goes to it, or back."""


class LeaseRequest(msgspec.Struct, frozen=True):
    """POST /v1/protections/{id}/renew."""

    epoch: int
    holder: str
    lease_s: float


class GrantRequest(msgspec.Struct, frozen=True):
    """POST /v1/protections/{id}/grant. A forced one must say by whom."""

    from_epoch: int
    candidate: str
    lease_s: float | None = None
    forced: bool = False
    by: str = ""


class ReleaseRequest(msgspec.Struct, frozen=True):
    """POST /v1/protections/{id}/release."""

    epoch: int
    holder: str


class ForcedView(msgspec.Struct, frozen=True):
    """A grant forced by a person."""

    by: str
    time_ns: int
    from_epoch: int
    candidate: str


class ProtectionView(msgspec.Struct, frozen=True):
    """GET /v1/protections/{id}. ``lease``: timed, held or released; ``renewed_ago_s`` null when not since the witness started."""

    protection: str
    epoch: int
    holder: str
    lease: str
    expires_in_s: float | None
    renewed_ago_s: float | None
    forced: tuple[ForcedView, ...] = ()
