"""Checks about the two servers, their engines and services, the witness, and the age of what is known."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from orchestrator.model.findings import Finding
from orchestrator.model.servers import Platform, Where
from orchestrator.model.settings import ServiceSettings
from orchestrator.sdk import steps
from orchestrator.sdk.checks import View, check, of_platform

SOURCE, TARGET = Where.SOURCE, Where.TARGET
SIDES = (SOURCE, TARGET)


@check("server-unreachable", passed="both servers answer")
def server_unreachable(view: View) -> Iterator[Finding]:
    """Nothing can be said about a silent server."""
    for where in SIDES:
        side = view.inventory.on(where)
        if side.unreachable:
            yield view.error(
                f"the {where} {side.name} does not answer: {side.unreachable}",
                where=side.name,
                why="a server that cannot be asked cannot be protected, or taken over to",
                remedy=f"dtam hosts test {side.name}; {_not_laid(view, where)} yet: dtam hosts install {side.name}; if the source is failed over, choose the target first: dtam status",
            )


def _not_laid(view: View, where: Where) -> str:
    """What a server may lack that does not answer."""
    return (
        "no engine there" if view.protection.pair.on(where).platform is Platform.LINUX else "no scripts of dtam there"
    )


@check("source-is-target", passed="the source is nobody's target")
def source_is_target(view: View) -> Iterator[Finding]:
    """A server that keeps somebody's replica must not become a source."""
    for other in view.inventory.source.target_of:
        if other != view.protection.id:
            yield view.error(
                f"{view.inventory.source.name} is the target of protection {other}",
                where=view.place("source"),
                why="its data belongs to another server's failover; chains of protections are not supported",
                remedy=f"disable {other} first, or choose another source",
            )


@check("engines-not-paired", passed="both engines trust each other's keys")
def engines_not_paired(view: View) -> Iterator[Finding]:
    """Data travels between engines that know each other by key only."""
    both = f"{view.inventory.source.name} and {view.inventory.target.name}"
    if view.inventory.paired is False:
        yield view.warning(
            f"the engines on {both} do not know each other yet",
            where=both,
            why="data travels only between engines that were paired",
            remedy="enabling the protection pairs them too",
            fix=[steps.pair_engines(both)],
        )


@check("versions-differ", sets=("strict",), passed="both engines have the same version")
def versions_differ(view: View) -> Iterator[Finding]:
    """Different versions work together as far as their protocol agrees; the same one is safer."""
    ours, theirs = view.inventory.source.engine, view.inventory.target.engine
    if ours and theirs and ours.version != theirs.version:
        yield view.warning(
            f"engine versions differ: {ours.version} on {ours.name}, {theirs.version} on {theirs.name}",
            why="a difference may be refused at the next connection",
            remedy="upgrade the older one",
        )


@check("capture-weaker", sets=("basic", "data"), passed="writes are captured in their order")
def capture_weaker(view: View) -> Iterator[Finding]:
    """Without the capturing file system there is no order of writes, so no promise that a replica is a state of the source."""
    for where in SIDES:
        engine = view.inventory.on(where).engine
        if engine and engine.capture != "fuse":
            yield view.warning(
                f"{engine.name} captures weaker: no write order ({engine.capture_says or engine.capture})",
                where=engine.name,
                why="after a failover a file may be newer than another that was written after it: unfit for databases",
                remedy="on that server: apt-get install gcc libfuse3-dev fuse3, then restart dtengine",
            )


@check("clock-offset", sets=("strict",), passed="clocks agree")
def clock_offset(view: View) -> Iterator[Finding]:
    """Clocks decide nothing here, yet they date files, logs and evidence."""
    limit_s = view.settings.advanced.clock_offset_limit_s
    for where in SIDES:
        engine = view.inventory.on(where).engine
        if engine and abs(engine.clock_offset_s) > limit_s:
            yield view.warning(
                f"the clock of {engine.name} is off by {engine.clock_offset_s:+.1f} s (limit {limit_s:g} s)",
                where=engine.name,
                why="times in files, journals and reports of the two sides cannot be compared",
                remedy="run a time service on it, such as chrony",
            )


@check("service-missing", passed="there are services to protect")
def service_missing(view: View) -> Iterator[Finding]:
    """Without a service nothing is started on the target, and nobody sees whether clients are served."""
    if not view.settings.failover.services:
        yield view.warning(
            "no service is listed",
            where=view.place("failover.services"),
            why="a failover would move data and names, and start nothing",
            remedy="list them under failover.services, in start order",
        )


@check("service-running-on-target", passed="services that must be stopped on the target are stopped there")
def service_running_on_target(view: View) -> Iterator[Finding]:
    """A service that runs on the target writes into the replica, or holds its files."""
    if view.serving is TARGET:
        return
    target = view.inventory.target
    for service in view.settings.failover.services:
        facts = target.service(service.name)
        if service.must_be_stopped_on_target and facts is not None and facts.state == "running":
            yield view.error(
                f"service {service.name} runs on the target {target.name}",
                where=f"{target.name}, {target.origin('services')}",
                why="it would write into the replica, or serve old data to clients",
                remedy=f"stop {service.name} on {target.name}",
                fix=[steps.stop_service(TARGET, target.name, service.document(TARGET))],
            )


@check("service-starts-by-itself", passed="protected services start by hand only")
def service_starts_by_itself(view: View) -> Iterator[Finding]:
    """After a boot a protected service must wait until the epoch is confirmed: else there may be two masters."""
    for where in SIDES:
        side = view.inventory.on(where)
        for service in view.settings.failover.services:
            facts = side.service(service.name)
            windows = view.on_windows
            meanwhile = windows and where is TARGET and not service.must_be_stopped_on_target
            if facts is not None and facts.start_type == "automatic" and not meanwhile:
                unit = service.on(where).unit or service.name
                by_hand = f"Set-Service -Name {unit} -StartupType Manual" if windows else f"systemctl disable {unit}"
                yield view.error(
                    f"service {service.name} starts by itself on {side.name}",
                    where=side.name,
                    why="after a boot it would serve before anybody confirmed that this side may",
                    remedy=by_hand,
                    fix=[steps.set_start_type(where, side.name, service.document(where), "manual")],
                )


@check("service-not-running-on-source", sets=("strict",), passed="the services run where they are to run")
def service_not_running(view: View) -> Iterator[Finding]:
    """A service that does not run where clients look for it is no fault of the protection, but somebody should know."""
    where = view.serving
    side = view.inventory.on(where)
    for service in view.settings.failover.services:
        facts = side.service(service.name)
        if not side.unreachable and (facts is None or facts.state != "running"):
            state = facts.state if facts else "unknown"
            yield view.warning(
                f"service {service.name} is {state} on {side.name}",
                where=side.name,
                why="clients are not served, and a failover would be judged by a service that did not run",
                remedy=f"start it; should it not stay up, look at its log on {side.name}",
                fix=[steps.start_service(where, side.name, service.document(where))] if facts and facts.managed else [],
            )


@check("port-in-use", passed="the ports of the services are free on the target")
def port_in_use(view: View) -> Iterator[Finding]:
    """Something else on the target's port makes the service's start fail in the very moment it is needed."""
    target = view.inventory.target
    if view.serving is TARGET:
        return
    for service in view.settings.failover.services:
        facts = target.service(service.name)
        taken = _taken(service, target.listening)
        if taken and (facts is None or facts.state != "running"):
            yield view.error(
                f"port {taken} of service {service.name} is in use by something else on {target.name}",
                where=f"{target.name}, {target.origin('paths')}",
                why="the service could not start there",
                remedy=f"stop what listens there: ss -ltnp 'sport = :{taken.rpartition(':')[2]}'",
            )


@check("script-changed-on-host", sets=("basic", "failover"), passed="every script is what was delivered")
def script_changed(view: View) -> Iterator[Finding]:
    """A script that is not what a person reviewed is not run: the failover would wait at it."""
    for where in SIDES:
        side = view.inventory.on(where)
        for protection, script in side.changed_scripts:
            if protection == view.protection.id:
                yield view.error(
                    f"the script {script} was changed on {side.name} since its delivery",
                    where=side.name,
                    why="its engine does not run it: a failover would wait until a person accepts it",
                    remedy=f"dtam scripts accept {script} delivers it as it is, dtam scripts deliver a new one",
                )


def _taken(service: ServiceSettings, listening: tuple[str, ...]) -> str:
    url = service.on(TARGET).health_url
    parts = urlsplit(url) if url else None
    if parts is None or parts.hostname is None:
        return ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    anywhere = {f"0.0.0.0:{port}", f"[::]:{port}", f":::{port}", f"*:{port}"}
    wanted = {f"{parts.hostname}:{port}", f"[{parts.hostname}]:{port}", *anywhere}
    heard = {one.removeprefix("tcp ").removeprefix("tcp:") for one in listening}
    return next(iter(sorted(wanted & heard)), "")


@check("witness-unreachable", sets=("basic", "failover"), passed="the witness answers, or none is wanted")
def witness_unreachable(view: View) -> Iterator[Finding]:
    """Without its witness the source serves on its target's promise alone, and the target cannot take over."""
    problem = view.inventory.witness.problem
    if problem:
        yield view.error(
            f"the witness cannot be used: {problem}",
            where=view.place("monitoring.witness.address"),
            why="the source would fence itself when its lease ends, and the target could not take over by itself",
            remedy="start dtwitness there, and compare address, port and fingerprint",
        )


@check("witness-missing", sets=("basic", "failover"), passed="a witness decides between the two sides")
def witness_missing(view: View) -> Iterator[Finding]:
    """Two sides alone cannot tell a dead source from a cut line."""
    tab = view.settings.monitoring
    if tab.witness is None:
        how = "automatic, without a witness, by your choice" if not tab.manual_intervention else "by hand only"
        yield view.warning(
            f"there is no witness: failover is {how}",
            where=view.place("monitoring.without_witness"),
            why="when the line between the servers is cut, both may believe that the other one is down",
            remedy="run dtwitness on a third machine and name it under monitoring.witness",
        )


@check("facts-too-old", sets=("basic", "failover"), passed="what is known is fresh")
def facts_too_old(view: View) -> Iterator[Finding]:
    """A failover reads nothing from the source: it goes by what was gathered before, and its age counts."""
    age_s, limit_s = view.inventory.age_s(view.now_s), view.settings.advanced.facts_age_limit_s
    if age_s > limit_s:
        yield view.warning(
            f"the gathered facts are {_words(age_s)} old (limit {_words(limit_s)})",
            where=view.place("advanced.facts_age_limit_s"),
            why="a failover goes by them, because it reads nothing from the source",
            remedy=f"dtam --{view.protection.application} discover gathers them again",
        )


def _words(seconds: float) -> str:
    if seconds < 3600:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.0f} h" if seconds < 2 * 86400 else f"{seconds / 86400:.0f} days"


SERVERS = (
    server_unreachable,
    source_is_target,
    *of_platform(Platform.LINUX, engines_not_paired, versions_differ, capture_weaker, clock_offset),
    service_missing,
    service_running_on_target,
    service_starts_by_itself,
    service_not_running,
    port_in_use,
    script_changed,
    witness_unreachable,
    witness_missing,
    facts_too_old,
)
