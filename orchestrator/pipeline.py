"""The composition root: the only file that knows all stages, and ``reaching`` with all adapters.

discover -> configure -> validate (fix) -> plan -> execute -> record. Commands and services call this; it opens the store, reaches
hosts, hands values from stage to stage, and keeps one run at a time for each protection. Real clocks enter here and nowhere else.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Self

import msgspec

from orchestrator import discover, planning, validate
from orchestrator.delivering import HostScript, on_hosts, rendered, with_own_part
from orchestrator.discover import Discovered
from orchestrator.errors import DtamError
from orchestrator.failover import kept
from orchestrator.failover.condition import target_serves
from orchestrator.failover.guards import Wish, raise_if_refused
from orchestrator.failover.snapshot import Snapshot, look
from orchestrator.hosts.errors import ServerInUse
from orchestrator.model.conditions import Stage
from orchestrator.model.errors import ServerUnknown, SourceIsTarget
from orchestrator.model.inventory import Inventory
from orchestrator.model.located import Located
from orchestrator.model.names import NameChanges
from orchestrator.model.outcomes import Outcome, TryAgain
from orchestrator.model.plan import Plan, PlanKind
from orchestrator.model.protections import Protection
from orchestrator.model.restoring import WHOLE, Restoring
from orchestrator.model.runs import Run, RunState
from orchestrator.model.servers import Pair, Server, Where
from orchestrator.proposing import Proposing
from orchestrator.reaching import Reach
from orchestrator.running import Finished, Running, Tell
from orchestrator.sdk import verbs_data, verbs_service  # noqa: F401  importing them gives the verbs their meaning
from orchestrator.sdk.application import Application, Planning
from orchestrator.sdk.context import Ports
from orchestrator.store.credentials import CredentialCache
from orchestrator.store.store import Store
from orchestrator.structs import know_structs
from orchestrator.validate import Report


@dataclass(frozen=True, slots=True)
class Planned:
    """A plan, the protection as it will be kept, and the scripts of the plan with their texts."""

    plan: Plan
    protection: Protection
    scripts: tuple[HostScript, ...] = ()

    @property
    def texts(self) -> dict[str, str]:
        """The texts of the scripts by SHA-256."""
        return {one.sha256: one.text for one in self.scripts}


PLUGINS = "dtam.plugins"


@cache
def installed_applications() -> dict[str, Callable[[], Application]]:
    """The plugins by their application's word; each is loaded when it is first asked for."""
    return {entry.name: lambda entry=entry: entry.load()() for entry in entry_points(group=PLUGINS)}  # type: ignore[misc]


class Pipeline:
    """Everything dtam can do, over one state directory. ``by`` is who asks, for the audit."""

    def __init__(self, home: Path, by: str, reach: Reach | None = None) -> None:
        know_structs()
        self.home = home
        self.by = by
        self.store = Store(home / "dtam.db", time.time)
        self.running = Running(home, self.store, by)
        self.credentials = CredentialCache(home, time.time)
        self.reach = reach or Reach(self.credentials.password, home)

    def close(self) -> None:
        """End all connections."""
        self.reach.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- servers

    def know(self, server: Server) -> None:
        """Keep a server."""
        self.store.put_server(server)
        self.store.audit(self.by, "", "hosts add", f"{server.name} at {server.address} is known")

    def known(self, name: str) -> Server:
        """A known server, or ServerUnknown with the names of those that are."""
        server = self.store.server(name)
        if server is None:
            among = ", ".join(each.name for each in self.store.servers())
            raise ServerUnknown(name=name, among=f" (known: {among})" if among else "")
        return server

    def refuse_if_used(self, server: Server) -> None:
        """Raises ServerInUse while a protection that is not disabled names it."""
        for protection in self.store.protections():
            used = server.name in {protection.pair.source.name, protection.pair.target.name}
            if used and protection.stage is not Stage.DISABLED:
                raise ServerInUse(server=server.name, protection=protection.id)

    def forget(self, server: Server) -> None:
        """Know it no more."""
        self.store.remove_server(server.name)
        self.store.audit(self.by, "", "hosts remove", f"{server.name} is known no more")

    def discover(self) -> tuple[Discovered, ...]:
        """All known servers as they answer now."""
        with self.reach.looking() as reach:
            return discover.servers(self.store.servers(), reach.host)

    # -- configure and validate

    def application(self, name: str) -> Application:
        """The plugin of an application."""
        plugin = installed_applications()[name]()
        know_structs()
        return plugin

    def configure(
        self, application: str, layers: Sequence[Located], *, reuse: bool = False, name: str | None = None
    ) -> Protection:
        """Layers of a file and flags over defaults and the pair's previous settings; nothing is kept yet.

        Raises:
            SettingsInvalid, ServerUnknown, SourceIsTarget.
        """
        proposing = Proposing(self.store, self.reach, time.time())
        return proposing.protection(application, self.application(application), layers, reuse=reuse, name=name)

    def configure_exactly(self, file: Located, name: str) -> Protection:
        """A protection of this name as its file has it: nothing is proposed, asked or remembered; nothing is kept yet.

        Raises:
            SettingsInvalid, ServerUnknown, SourceIsTarget.
        """
        return Proposing(self.store, self.reach, time.time()).exactly(file, name)

    def keep(self, protection: Protection) -> None:
        """Keep a protection as configured."""
        lowered = self._lowered(protection)
        self.store.put_protection(msgspec.structs.replace(protection, lowered=lowered))
        self.store.audit(self.by, protection.id, "configure", f"{protection.id} was configured")

    def _lowered(self, protection: Protection) -> NameChanges | None:
        """What is known of TTLs that were lowered; a fix may have done so since the protection was read."""
        stored = next((each for each in self.store.protections() if each.id == protection.id), protection)
        return stored.lowered or protection.lowered

    def inventory(self, protection: Protection) -> Inventory:
        """Ask both servers, names and witness now, and keep the answer."""
        plugin = self.application(protection.application)
        found = discover.inventory(plugin, self.reach.ports(protection.pair, protection.settings), protection.settings)
        self.store.put_inventory(protection.id, found)
        return found

    def validate(self, protection: Protection, only: frozenset[str] = frozenset()) -> Report:
        """All checks over a fresh inventory; nothing is changed."""
        checks = self.application(protection.application).checks()
        return validate.validate(checks, self.inventory(protection), protection, time.time(), only=only)

    # -- plans and runs

    def refreshed(self, protection: Protection) -> tuple[Protection, Snapshot]:
        """The protection with the stage and epoch that the engines tell: a failover may have happened without us."""
        seen = self.reach.snapshot(protection)
        stage = Stage.FAILED_OVER if target_serves(seen) and protection.stage is Stage.ENABLED else protection.stage
        now = msgspec.structs.replace(protection, stage=stage, epoch=max(protection.epoch, seen.epoch))
        if (now.stage, now.epoch) != (protection.stage, protection.epoch):
            self.store.put_protection(now)
        state = seen.target.state
        by_itself = stage is not protection.stage or (state is not None and not state.details.get("by"))
        if stage is Stage.FAILED_OVER and state is not None and state.finished_ns and by_itself:
            steps = partial(self._steps_of, now)
            self.running.note_failover_by_target(now.id, seen.target.server, state, steps)
        return now, seen

    def _steps_of(self, protection: Protection, run: str) -> tuple[Outcome, ...]:
        """What became of the steps of the target's own script; nothing where it does not say."""
        with suppress(DtamError, TryAgain):
            found = self.reach.host(protection.pair.target).script_run(run, "post_failover")
            return found.outcomes if found is not None else ()
        return ()

    def plan(self, kind: PlanKind, protection: Protection, wish: Wish) -> Planned:
        """A plan of now with the texts of its scripts.

        Raises:
            NotInThisState: the command does not fit, with the reason.
        """
        protection, seen = self.refreshed(protection)
        raise_if_refused(seen, wish)
        planning.check_stage(kind, protection)
        plugin = self.application(protection.application)
        inventory = self._facts_for(kind, self._aimed(protection, wish.restoring), wish)
        if kind is PlanKind.PROTECT:
            protection = self._with_names(protection, inventory)
        names = protection.names
        given = Planning(
            self._aimed(protection, wish.restoring),
            inventory,
            protection.epoch,
            names=names,
            graceful=wish.graceful,
            forced=wish.forced,
            stop_monitoring=wish.stop_monitoring,
            by=self.by,
            data=wish.data,
            restoring=wish.restoring,
        )
        scripts = self._scripts(kind, plugin, given)
        given = msgspec.structs.replace(given, scripts=tuple(one.as_delivered for one in scripts))
        plan = planning.plan(kind, plugin, given)
        warnings = tuple(one.warning for one in scripts if one.warning)
        restoring = wish.restoring if wish.restoring != WHOLE else None
        plan = msgspec.structs.replace(plan, remarks=(*plan.remarks, *warnings), restoring=restoring)
        return Planned(plan, protection, scripts)

    def _aimed(self, protection: Protection, restoring: Restoring | None) -> Protection:
        """The protection with the server that gets the data as its source.

        Raises:
            ServerUnknown, SourceIsTarget: the server is not known, or is the one that has the data.
        """
        if restoring is None or not restoring.to:
            return protection
        pair = Pair(self.known(restoring.to), protection.pair.target)
        if pair.source.name == pair.target.name:
            raise SourceIsTarget(name=pair.target.name, protection=protection.id)
        return msgspec.structs.replace(protection, pair=pair)

    def _with_names(self, protection: Protection, inventory: Inventory) -> Protection:
        """What protecting means for the clients' records: their TTL from now on, and the move of a failover."""
        ttl_s = protection.settings.failover.dns.ttl_s
        found, known = inventory.names.changes, protection.names
        names = known if known and not found.changes and protection.settings.failover.moves_names else found
        lowered = names.lowering(ttl_s, self._lowered(protection))
        return msgspec.structs.replace(protection, names=names.protected(ttl_s), lowered=lowered)

    def _scripts(self, kind: PlanKind, plugin: Application, given: Planning) -> tuple[HostScript, ...]:
        """Rendered anew for an enable; else as they lie on the hosts, of which neither a lost source nor a server that gets a copy is asked."""
        ports = self.reach.ports(given.protection.pair, given.protection.settings)
        alone = given.restoring.to or (kind is PlanKind.FAILOVER and not given.graceful)
        lying = on_hosts(ports, given.protection.id, {Where.TARGET} if alone else {Where.SOURCE, Where.TARGET})
        makes = kind is PlanKind.PROTECT and given.protection.settings.advanced.create.scripts
        return rendered(plugin, given, lying) if makes else lying

    def scripts(self, protection: Protection) -> tuple[HostScript, ...]:
        """The scripts that an enable would deliver now, people's part kept."""
        kept = self.store.inventory(protection.id) or self.inventory(protection)
        names = protection.names or kept.names.changes
        given = Planning(protection, kept, protection.epoch, names=names, by=self.by)
        return self._scripts(PlanKind.PROTECT, self.application(protection.application), given)

    def keep_own_part(self, protection: Protection, script: HostScript, own: str) -> HostScript:
        """The script with these commands of people's; they become part of the settings, so that no rendering loses them."""
        settings = protection.settings
        scripts = settings.advanced.scripts.model_copy(update={script.name: own})
        advanced = settings.advanced.model_copy(update={"scripts": scripts})
        changed = settings.model_copy(update={"advanced": advanced})
        self.store.put_protection(msgspec.structs.replace(protection, settings=changed))
        return with_own_part(script, own)

    def deliver(self, protection: Protection, script: HostScript) -> None:
        """Lay a script on its host; what somebody had changed there is kept beside first."""
        self._keep_edited(protection, script)
        host = self.reach.host(protection.pair.on(script.where))
        host.deliver_script(protection.id, script.name, script.text)
        self.store.audit(self.by, protection.id, "scripts", f"{script.name} was delivered to {host.name}")

    def lying(self, protection: Protection) -> tuple[HostScript, ...]:
        """The scripts as they lie on the hosts; delivering one of these accepts what somebody changed in it there."""
        ports = self.reach.ports(protection.pair, protection.settings)
        return on_hosts(ports, protection.id, {Where.SOURCE, Where.TARGET})

    def _keep_edited(self, protection: Protection, script: HostScript) -> None:
        path = script.keep_edited(self.home / "scripts" / protection.id)
        if path is not None:
            says = f"the changed {script.name} of {protection.pair.on(script.where).name} is kept as {path}"
            self.store.audit(self.by, protection.id, "scripts", says)

    def plan_fixes(self, protection: Protection, report: Report, only: frozenset[str]) -> Planned:
        """A plan of what can be mended, or of the named checks with what they need."""
        plan = validate.fixes(report, protection, only)
        lowered = self._lowered(protection)
        for step in plan.steps:
            if step.do.verb == "set-ttl":
                fixed = msgspec.convert(step.do.arguments["changes"], NameChanges)
                lowered = fixed.lowering(_ttl_after(fixed), lowered)
        return Planned(plan, msgspec.structs.replace(protection, lowered=lowered))

    def _facts_for(self, kind: PlanKind, protection: Protection, wish: Wish) -> Inventory:
        """Fresh facts; a failover that is not handed over reads nothing from the source and goes by what was gathered.

        Those of a server that only gets a copy are not kept.
        """
        if kind is PlanKind.FAILOVER and not wish.graceful:
            kept = self.store.inventory(protection.id)
            if kept is not None:
                return kept
        if wish.restoring.to:
            ports = self.reach.ports(protection.pair, protection.settings)
            return discover.inventory(self.application(protection.application), ports, protection.settings)
        return self.inventory(protection)

    def execute(self, planned: Planned, tell: Tell) -> Finished:
        """Carry out a plan as a new run. How it ended is in the answer; nothing is undone without being asked."""
        protection = planned.protection
        planned.plan.raise_if_refused()
        self.store.put_protection(protection)
        for script in planned.scripts:
            self._keep_edited(protection, script)
        aimed = self._aimed(protection, planned.plan.restoring)
        ports = self.reach.ports(aimed.pair, protection.settings, planned.texts)
        budget_s = protection.settings.advanced.step_budget_s
        return self._moved_on(protection, self.running.start(planned.plan, ports, budget_s, tell, self._figures))

    def go_on(self, run: Run, protection: Protection, tell: Tell, *, undo: bool) -> Finished:
        """Resume a run that was cut off or failed, or undo it, newest step first."""
        aimed = self._aimed(protection, run.plan.restoring)

        def ports(texts: Mapping[str, str]) -> Ports:
            return self.reach.ports(aimed.pair, protection.settings, texts)

        budget_s = protection.settings.advanced.step_budget_s
        finished = self.running.go_on(run.id, ports, budget_s, tell, undo=undo, figures=self._figures)
        return self._moved_on(protection, finished)

    def _figures(self, run: Run) -> Mapping[str, float]:
        """What the target's executor measured of a failover by itself."""
        handed_over = any(step.do.verb == "release-lease" for step in run.plan.steps)
        if run.plan.kind is not PlanKind.FAILOVER or run.state is not RunState.DONE or handed_over:
            return {}
        pair = self.store.protection(run.plan.protection).pair
        if pair.target.engine is None:
            detected_s = kept.read(self.home, run.plan.protection).detected_s
            return {"rto_s": time.time() - detected_s} if detected_s else {}
        state = look(run.plan.protection, pair.target.name, self.reach.client(pair.target)).state
        if state is None or state.detected_ns is None or state.finished_ns is None:
            return {}
        return {"rto_s": (state.finished_ns - state.detected_ns) / 1e9}

    def _moved_on(self, protection: Protection, finished: Finished) -> Finished:
        after = planning.stage_after(finished.run)
        if after is not None:
            kept = self.store.protection(protection.id)
            lowered = None if after is Stage.DISABLED else kept.lowered
            moved = msgspec.structs.replace(kept, stage=after, lowered=lowered)
            self.store.put_protection(moved)
            self.refreshed(moved)
        return finished


def _ttl_after(changes: NameChanges) -> int | None:
    return next((change.after.ttl_s for change in changes.changes if change.after), None)
