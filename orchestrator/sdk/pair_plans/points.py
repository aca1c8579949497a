"""What application monitoring asks: points are programs, run by the target's engine or by `dtam serve`, that end with 0 when all is well."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from orchestrator.model.points import Point
from orchestrator.model.settings import Settings
from orchestrator.sdk.application import Planning
from orchestrator.sdk.pair_plans import parts

SMB_PORT = 445


def by_name(planning: Planning, *, by_target: bool = True) -> tuple[Point, ...]:  # noqa: ARG001  the hook's signature
    """The application is asked once through the clients' name, as after a failover; a file server without such a question, at its port."""
    settings = planning.protection.settings
    servers = [word for server in settings.failover.dns.servers for word in ("--server", server)]
    words = ["dfo", "ask", "--source-name", settings.name, *servers, "--budget", "0"]
    probe = parts.probe(settings)
    timeout = ["--timeout", f"{probe.timeout_s:g}"]
    if probe.url:
        return (Point("clients", (*words, *timeout, "--url", probe.url, *_expecting(probe.expect))),)
    if probe.command:
        return (Point("clients", (*words, *timeout, *_expecting(probe.expect), "--", *probe.command)),)
    return (Point("clients", (*words, *timeout, "--tcp-port", str(SMB_PORT))),)


def _expecting(expect: str) -> list[str]:
    return ["--expect", expect] if expect else []


def wanted(settings: Settings, built_in: Callable[[], Iterable[Point]]) -> dict[str, Any] | None:
    """How the application is asked, as an engine takes it; None where nobody wants that."""
    tab = settings.monitoring.application
    if tab is None:
        return None
    points = built_in() if tab.points == "built-in" else [Point("script", tab.command)]
    return {
        "interval_s": tab.interval_s,
        "errors": tab.errors,
        "timeout_s": tab.timeout_s,
        "environment": tab.environment,
        "points": [{"name": one.name, "command": list(one.command), "reads": one.reads} for one in points],
    }
