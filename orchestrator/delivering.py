"""Which scripts a protection has, where each lies, and what is in it: the application's steps, and people's own part kept.

The steps of failover, restore and failback that name a script are rendered into it at enable; later plans take the scripts as
they lie on their hosts, people's part and all, so that a plan's id covers what will truly run.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from orchestrator import scripting
from orchestrator.errors import DtamError
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.plan import DeliveredScript
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Platform, Where
from orchestrator.model.settings import ScriptSettings
from orchestrator.model.steps import ScriptCall, Step
from orchestrator.sdk.application import Application, Planning
from orchestrator.sdk.context import Ports

PLACES = {
    "pre_failover": Where.TARGET,
    "post_failover": Where.TARGET,
    "pre_failback": Where.TARGET,
    "post_restore": Where.SOURCE,
    "post_failback": Where.SOURCE,
}
BY_HAND = "post_restore"
"""Run by no plan: a person runs it on the source, when its data has been restored."""
MOVES_NAMES, KEEPS_SHARES = "common/move_names", "common/keep_shares"
REFRESH, REFRESHES = "refresh-names", "register the clients' names in DNS again"
DROP, DROPS = "drop-shares", "take the shares away that wait here"
STAY, STAYS = "stay-here", "leave with this server for good what a failover took"
STARTS = ("common/start_service", "common/start_unit")


@dataclass(frozen=True, slots=True)
class HostScript:
    """A script as it is, or will be, on its host.

    ``edited`` is the text it takes the place of, where somebody had changed more in that than people's part.
    """

    where: Where
    name: str
    text: str
    step_ids: tuple[str, ...] = ()
    edited: str | None = None

    @property
    def warning(self) -> str:
        """What a new rendering would lose; empty when that is nothing."""
        return self._regenerated.warning

    @property
    def _regenerated(self) -> scripting.Regenerated:
        return scripting.Regenerated(scripting.RenderedScript(self.name, self.text, self.step_ids), self.edited)

    def keep_edited(self, folder: Path) -> Path | None:
        """Keep what this script replaces as ``NAME.edited`` in a folder; None when it replaces nothing of anybody's."""
        return scripting.keep_edited(folder, self._regenerated)

    @property
    def sha256(self) -> str:
        """Of the whole text in UTF-8."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @property
    def as_delivered(self) -> DeliveredScript:
        """The script as plans speak of it."""
        return DeliveredScript(str(self.where), self.name, self.sha256)


def on_hosts(ports: Ports, protection: str, sides: Iterable[Where]) -> tuple[HostScript, ...]:
    """The scripts as they lie on these sides; a silent host has none to show."""
    wanted = set(sides)
    found: list[HostScript] = []
    for name, where in PLACES.items():
        if where not in wanted:
            continue
        try:
            text = ports.host(where).script_text(protection, name)
        except (TryAgain, DtamError):
            text = None
        if text is not None:
            found.append(HostScript(where, name, text))
    return tuple(found)


def rendered(plugin: Application, planning: Planning, lying: Iterable[HostScript]) -> tuple[HostScript, ...]:
    """All scripts of a protection, rendered anew over those that lie on the hosts.

    Raises:
        TemplateUnusable, ScriptDamaged.
    """
    neutral = msgspec.structs.replace(planning, graceful=False, forced=False, by="", scripts=())
    plans = (plugin.protect, plugin.failover, plugin.restore, plugin.failback)
    steps = tuple(step for plan in plans for step in plan(neutral))
    delivered = {one.name: one.text for one in lying}
    own = planning.protection.settings.advanced.scripts
    made = (_one(name, planning.protection, steps, delivered, own) for name in PLACES)
    return tuple(one for one in made if one is not None)


def _one(
    name: str, protection: Protection, steps: tuple[Step, ...], delivered: Mapping[str, str], own: ScriptSettings
) -> HostScript | None:
    mine = _named_once(_segments(name, steps))
    configured = own_part(getattr(own, name, ""))
    if not mine and not configured and name not in delivered:
        return None
    platform = protection.pair.on(PLACES[name]).platform
    anew = scripting.regenerate(name, protection.id, mine, delivered.get(name), platform)
    kept = scripting.own_commands(name, anew.script.text)
    script = anew.script if kept.strip() else scripting.render(name, protection.id, mine, configured, platform)
    return HostScript(PLACES[name], name, script.text, script.step_ids, anew.edited)


def _segments(name: str, steps: tuple[Step, ...]) -> Iterator[Step]:
    """The steps that a script holds; the one that is run by hand starts the source's services, as the failback does.

    Before the step that moves names stands the one that the target's engine asks for by its name while it serves, and behind the one that
    makes shares beforehand the one that takes them away. The last of a failover's is the one that ends a protection whose target serves.
    """
    taking = [step for step in steps if step.script is not None and step.script.script == name == "post_failover"]
    for step in steps:
        call = step.script
        if call is None:
            continue
        if call.script == name:
            if call.template == MOVES_NAMES:
                refreshing = msgspec.structs.replace(call, template="common/refresh_names")
                yield msgspec.structs.replace(step, id=REFRESH, sentence=REFRESHES, script=refreshing)
            yield step
            if call.template == KEEPS_SHARES:
                dropping = msgspec.structs.replace(call, template="common/drop_shares")
                yield msgspec.structs.replace(step, id=DROP, sentence=DROPS, script=dropping)
        elif name == BY_HAND and call.script == "post_failback" and call.template in STARTS:
            yield msgspec.structs.replace(step, script=msgspec.structs.replace(call, script=name))
    if taking:
        moving = (step.script.variables for step in taking if step.script and step.script.template == MOVES_NAMES)
        yield msgspec.structs.replace(
            taking[-1], id=STAY, sentence=STAYS, script=ScriptCall(name, "common/stay_here", next(moving, {}))
        )


def blank(protection: str, name: str, platform: Platform = Platform.LINUX) -> HostScript:
    """A script without steps, for people's own commands, in the language of its host."""
    return HostScript(PLACES[name], name, scripting.render(name, protection, (), platform=platform).text)


def own_part(text: str) -> str:
    """People's commands as a block that ends with a line break."""
    return f"{text.rstrip()}\n" if text.strip() else ""


def _named_once(steps: Iterable[Step]) -> list[Step]:
    return list({step.id: step for step in steps}.values())


def with_own_part(script: HostScript, own: str) -> HostScript:
    """The same script with other commands in people's place; everything else, and its seal, stays.

    Raises:
        ScriptDamaged: the marks of people's place are gone.
    """
    return replace(script, text=scripting.with_own(script.name, script.text, own_part(own)))
