"""What can go wrong between two engines (exit codes 53 to 55; 56 and 57 are the applier's)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class BadFrame(DtamError):
    """The peer sent bytes that are no frame of this protocol; the session ends, nothing of the frame is used."""

    template = "the session with {peer} ended: {why}"
    exit_code = 53
    hint_template = "the engines reconnect by themselves; if it repeats, compare 'dtengine --version' on both servers"


class SessionRefused(DtamError):
    """The target does not take the session, and says why."""

    template = "{peer} refuses the connection: {why} ({reason})"
    exit_code = 54
    hint_template = "run 'dtengine status' on the target"


class PeerUnknown(DtamError):
    """TLS ended because one side does not know the other's key."""

    template = "no trusted session with {peer}: {why}"
    exit_code = 55
    hint_template = "pair the engines again and compare the fingerprints"
