"""A protection out of what people gave: their layers over what the application proposes, their habits, and what the pair had before.

Nothing is kept, and only what people left to us is asked of the hosts.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from orchestrator import configure, discover
from orchestrator.model.conditions import Stage
from orchestrator.model.errors import SettingsInvalid
from orchestrator.model.fields import short_name
from orchestrator.model.inventory import Inventory, SideInventory
from orchestrator.model.located import Located
from orchestrator.model.protections import Protection
from orchestrator.model.provenance import Layer
from orchestrator.model.servers import Pair, ProtectionId, Server
from orchestrator.model.settings import Settings
from orchestrator.model.settings_domain import SambaSettings
from orchestrator.model.settings_sql import SqlSettings
from orchestrator.reaching import Reach
from orchestrator.sdk.application import Application
from orchestrator.store.store import Store

SQL = "sql"


@dataclass(frozen=True, slots=True)
class Proposing:
    """What is known and whom to ask. ``now_s`` is the time that the hosts' answers are of."""

    store: Store
    reach: Reach
    now_s: float

    def protection(
        self, word: str, plugin: Application, layers: Sequence[Located], *, reuse: bool, name: str | None
    ) -> Protection:
        """Layers of a file and flags over defaults and the pair's previous settings; ``word`` is the application's.

        Raises:
            SettingsInvalid, ServerUnknown, SourceIsTarget.
        """
        given = [*self._below(word, plugin, layers, reuse=reuse), *layers]
        return self._agreed(given, lambda pair: name or f"{word}_{pair.source.name}_{pair.target.name}")

    def exactly(self, file: Located, name: str) -> Protection:
        """A file alone, over nothing but the defaults of the settings.

        Raises:
            SettingsInvalid, ServerUnknown, SourceIsTarget.
        """
        try:
            short_name(name)
        except ValueError as error:
            raise configure.refused([f"a protection cannot be called {name!r}: {error}"]) from error
        return self._agreed([file], lambda _pair: name)

    def _agreed(self, layers: Sequence[Located], called: Callable[[Pair], str]) -> Protection:
        settings, origins = configure.configure(layers)
        others = [each for each in self.store.protections() if each.stage is not Stage.DISABLED]
        pair = configure.agree(settings, self._servers(), others)
        chosen = ProtectionId(called(pair))
        kept = next((each for each in self.store.protections() if each.id == chosen), None)
        fresh = Protection(chosen, settings.application, pair, settings, origins)
        if kept is None:
            return fresh
        return msgspec.structs.replace(
            fresh, stage=kept.stage, epoch=kept.epoch, names=kept.names, lowered=kept.lowered
        )

    def _below(self, word: str, plugin: Application, layers: Sequence[Located], *, reuse: bool) -> list[Located]:
        """What holds where people say nothing: the plugin's proposal, the last protection's habits, the same pair's settings."""
        named = configure.layered(layers)
        below = [configure.layer({"application": word}, Layer.DEFAULT)]
        if (last := self.store.latest(word)) is not None:
            below.append(configure.habits(last.settings))
        pair = configure.pair_named(named, self._servers())
        if pair is None:
            return below
        found = None if reuse else self._sharing(pair, named)
        if word == SQL and not reuse:
            found = self._databases(pair, found, layers)
        proposed = plugin.defaults(pair, found, named.values)
        below.insert(0, configure.layer(proposed, Layer.DEFAULT, f"the {plugin.title} plugin"))
        return below + (self._remembered(word, pair) if reuse else [])

    def _servers(self) -> dict[str, Server]:
        return {server.name: server for server in self.store.servers()}

    def _sharing(self, pair: Pair, given: Located) -> Inventory | None:
        """What both hosts share, asked only where people leave it to us which data or addresses are meant."""
        identity = configure.value_at(given.values, "failover.type") == "identity"
        open_addresses = identity and not configure.value_at(given.values, "failover.identity.addresses")
        if configure.value_at(given.values, "connection.roots") and not open_addresses:
            return None
        conf = configure.value_at(given.values, "failover.samba.conf") or SambaSettings().conf
        return discover.sharing(pair, self.reach.host, str(conf), self.now_s)

    def _databases(self, pair: Pair, found: Inventory | None, layers: Sequence[Located]) -> Inventory | None:
        """What both SQL Servers say; what people gave wrongly is told later, when all settings are made."""
        try:
            settings = least_settings(pair, layers)
        except SettingsInvalid:
            return found
        sql = settings.failover.sql or SqlSettings()
        sides = Inventory(self.now_s, SideInventory(pair.source.name), SideInventory(pair.target.name))
        names = [one.name for one in sql.instances]
        return discover.databases(found or sides, self.reach.sql(pair, settings), names)

    def _remembered(self, word: str, pair: Pair) -> list[Located]:
        previous = self.store.previous(word, pair.source.name, pair.target.name)
        if previous is None:
            return []
        if previous.addresses != (*pair.source.addresses, *pair.target.addresses):
            problems = f"the addresses of {pair.source.name} or {pair.target.name} changed since they were configured"
            raise SettingsInvalid(problems=problems, advice="give the settings anew, without --reuse")
        return [configure.layer(previous.settings, Layer.PREVIOUS, f"{pair.source.name} and {pair.target.name} before")]


def least_settings(pair: Pair, layers: Sequence[Located]) -> Settings:
    """Settings of a SQL Server's protection as far as they were given, whole enough to reach both instances.

    Raises:
        SettingsInvalid.
    """
    least = {"application": SQL, "source": pair.source.name, "target": pair.target.name, "name": "asked.by.dtam"}
    lowest = configure.layer(least | {"failover": {"sql": {}}}, Layer.DEFAULT)
    settings, _ = configure.configure([lowest, *layers])
    return settings
