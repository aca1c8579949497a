"""An engine's restart is no loss of its server: the watch over it is held while it lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Server
from orchestrator.pipeline import Pipeline


@contextmanager
def quiet(pipeline: Pipeline, server: Server, say: Callable[[str], None]) -> Iterator[None]:
    """No target takes this server for lost meanwhile; the watches that were on are on again afterwards, however it ended."""
    held = [
        one for one in pipeline.store.protections() if one.pair.source.name == server.name and _watched(pipeline, one)
    ]
    for protection in held:
        _watch(pipeline, protection, on=False)
        say(
            f"the watch of {protection.pair.target.name} over {server.name} is held (dtam monitor --on begins it again)"
        )
    try:
        yield
    finally:
        for protection in held:
            _watch(pipeline, protection, on=True)
            say(f"{protection.pair.target.name} watches {server.name} again")


def _watched(pipeline: Pipeline, protection: Protection) -> bool:
    """A target that does not answer cannot be asked, and is said by status and validate, not here."""
    try:
        view = pipeline.reach.host(protection.pair.target).protection(protection.id)
    except (DtamError, TryAgain):
        return False
    return view is not None and view.role == "target" and view.monitor


def _watch(pipeline: Pipeline, protection: Protection, *, on: bool) -> None:
    action = "enable_monitor" if on else "disable_monitor"
    pipeline.reach.host(protection.pair.target).act(protection.id, action, {})
