"""dtam's own machine: its engine over the UNIX socket, where the kernel says who asks. No token, no fingerprint.

Of use where dtam runs on the target itself: the same ``Host``, reached without network.
"""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.client import EngineClient
from orchestrator.hosts.agent import AgentHost


def local_host(name: str, socket_path: Path) -> AgentHost:
    """The host that we are on, whose engine listens at ``socket_path`` (usually STATE/control.sock)."""
    return AgentHost(name, EngineClient.local(str(socket_path)))
