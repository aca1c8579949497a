"""Parts of plans that several plans share: services in order, directories, scripts, and the names of the two servers in words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from orchestrator.model.ports import HealthProbe
from orchestrator.model.servers import Where
from orchestrator.model.settings import ServiceSettings, Settings
from orchestrator.model.steps import Action, ScriptCall, Step
from orchestrator.sdk import steps
from orchestrator.sdk.application import Planning


def server(planning: Planning, where: Where) -> str:
    """The name of a side's server."""
    return planning.protection.pair.on(where).name


def arrow(planning: Planning, origin: Where) -> str:
    """``from alpha to beta``."""
    return f"from {server(planning, origin)} to {server(planning, origin.other)}"


def start_services(
    planning: Planning,
    where: Where,
    among: Sequence[ServiceSettings] | None = None,
    *,
    script: str = "",
    downtime: bool = True,
) -> Iterator[Step]:
    """Start all, or those of ``among``, in order; as segments of ``script`` where given."""
    for document in _documents(planning, where, among):
        step = steps.start_service(where, server(planning, where), document, downtime=downtime)
        yield steps.in_script(step, service_call(script, "start_service", document)) if script else step


def stop_services(
    planning: Planning,
    where: Where,
    among: Sequence[ServiceSettings] | None = None,
    *,
    script: str = "",
    suffix: str = "",
    downtime: bool = True,
) -> Iterator[Step]:
    """Stop all, or those of ``among``, in reverse order; as segments of ``script`` where given."""
    for document in reversed(_documents(planning, where, among)):
        step = steps.stop_service(where, server(planning, where), document, suffix=suffix, downtime=downtime)
        yield steps.in_script(step, service_call(script, "stop_service", document)) if script else step


def _documents(planning: Planning, where: Where, among: Sequence[ServiceSettings] | None) -> list[dict[str, Any]]:
    wanted = planning.protection.settings.failover.services if among is None else among
    return [one.document(where) for one in wanted]


def service_call(script: str, deed: str, document: dict[str, Any]) -> ScriptCall:
    """A segment about one service."""
    return ScriptCall(script, f"common/{deed}", {"service": document})


def moves_names(planning: Planning) -> bool:
    """Whether a failover changes records in DNS."""
    return planning.names is not None and bool(planning.names.changes)


def engines_answer(planning: Planning) -> Step:
    """Both engines are those that the plan was made for."""
    sides = {where: planning.inventory.on(where).engine for where in (Where.SOURCE, Where.TARGET)}
    ids = {str(where): engine.engine_id for where, engine in sides.items() if engine}
    return steps.engines_answer(ids, f"{server(planning, Where.SOURCE)} and {server(planning, Where.TARGET)}")


def probe(settings: Settings) -> HealthProbe:
    """How clients see it."""
    health = settings.failover.health
    url = health.url.replace("{name}", settings.name) if health.url else ""
    command = tuple(word.replace("{name}", settings.name) for word in health.command)
    return HealthProbe(settings.name, url, command, health.expect, health.timeout_s)


def has_probe(settings: Settings) -> bool:
    """Whether anything says how clients see it."""
    return bool(settings.failover.health.url or settings.failover.health.command)


def clients_served(planning: Planning, script: str = "") -> Iterator[Step]:
    """The application answers through the clients' name; as a segment of ``script`` where given."""
    settings = planning.protection.settings
    if not has_probe(settings):
        return
    health = probe(settings)
    variables = {
        "name": health.name,
        "url": health.url,
        "command": list(health.command),
        "expect": health.expect,
        "timeout_s": health.timeout_s,
        "within_s": settings.failover.health.within_s,
        "dns": {"servers": list(settings.failover.dns.servers)},
    }
    call = ScriptCall(script, "common/ask_as_client", variables) if script else None
    yield steps.ask_as_client(health, settings.failover.health.within_s, call)


def delivered(planning: Planning, name: str, where: Where) -> bool:
    """Whether a script of that name was rendered for a side."""
    return any((one.name, one.where) == (name, where) for one in planning.scripts)


def run_delivered(planning: Planning, name: str, where: Where, epoch: int) -> Iterator[Step]:
    """Run a whole delivered script: what it would do is looked at first, so that only people's own part and the rest is done."""
    if delivered(planning, name, where):
        yield steps.run_script(
            where,
            server(planning, where),
            planning.protection.id,
            script=name,
            call=None,
            segments=(),
            epoch=epoch,
            downtime=True,
        )


def run_own(planning: Planning, name: str, where: Where, epoch: int) -> Iterator[Step]:
    """The whole of a delivered script once more, in a run of its own: its segments are so already, people's own part is not."""
    for step in run_delivered(planning, name, where, epoch):
        actions = {
            word: msgspec.structs.replace(one, arguments={**one.arguments, "run_id": "{run}-own"})
            for word in ("look", "do", "undo")
            if isinstance(one := getattr(step, word), Action)
        }
        yield msgspec.structs.replace(step, **actions)


def as_awaited(planning: Planning, wanted: Iterable[Step]) -> Iterator[Step]:
    """The steps, but for people's own part of scripts that are not waited for: it goes on while the next step begins."""
    failover = planning.protection.settings.failover
    for step in wanted:
        script = step.do.arguments.get("script")
        if step.look.verb != "script-ran" or failover.waits_for(str(script)):
            yield step
        else:
            loose = [
                msgspec.structs.replace(one, arguments={**one.arguments, "wait": False}) for one in (step.look, step.do)
            ]
            yield msgspec.structs.replace(step, look=loose[0], do=loose[1])


def changed_scripts(planning: Planning) -> Iterator[str]:
    """What an engine would refuse to run is better refused before anything is stopped."""
    for where in (Where.SOURCE, Where.TARGET):
        side = planning.inventory.on(where)
        for protection, script in side.changed_scripts:
            if protection == planning.protection.id:
                yield f"{script} was changed on {side.name} since its delivery: dtam scripts accept {script}, or deliver"
