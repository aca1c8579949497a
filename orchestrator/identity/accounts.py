"""Moves service principal names between two accounts of a domain: undo on disk, taken from the source, read back, given, read back.

One controller serves the whole change, because uniqueness is checked by one controller at a time. A pass reads both accounts, then
does one thing: it takes while anything is to be taken, gives only when a reading has just shown that the source has nothing left,
and ends when a reading shows everything in its place. So a run killed anywhere leaves names with one owner or none, and the next run
goes on from what it reads. The moment without an owner is measured.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from orchestrator.directory.errors import DirectoryError, EntryMissing, RightMissing, SpnNotUnique, ValueChanged
from orchestrator.directory.port import Add, Delete, Directory, Entry
from orchestrator.identity import taken
from orchestrator.identity.errors import TakenUnusable, TakeoverIncomplete
from orchestrator.identity.forest import Forest
from orchestrator.identity.report import Line, Report
from orchestrator.identity.spns import Aliases, Held, Move, plan_back, plan_take, refuse_collisions, unique

ATTRIBUTE = "servicePrincipalName"
_WRITABLE = "allowedAttributesEffective"
_PASSES = 12
_SEARCH_AT_ONCE = 60
_POLL_S = 0.2


class TakenSpns(msgspec.Struct, frozen=True):
    """The undo: what the source lost in its spelling, what the target got, and what the target had before. Times in seconds."""

    source: str
    target: str
    phase: str
    taken: tuple[str, ...]
    given: tuple[str, ...]
    target_before: tuple[str, ...]
    controller: str
    began_s: float


@dataclass(frozen=True, slots=True)
class Clock:
    """Time as an argument: ``now`` since 1970, ``sleep`` in seconds."""

    now: Callable[[], float]
    sleep: Callable[[float], None]


@dataclass(frozen=True, slots=True)
class Pair:
    """The two accounts by name (``ALPHA$``), how long other controllers are awaited, in seconds, and who asks, for messages."""

    source: str
    target: str
    await_s: float = 5.0
    principal: str = "this process's ticket"


@dataclass(frozen=True, slots=True)
class _Seen:
    source: Entry
    target: Entry
    held: Held


class SpnMover:
    """Takes, gives back and shows, through one session with one controller."""

    def __init__(self, directory: Directory, pair: Pair, undo: Path, clock: Clock) -> None:
        self._directory = directory
        self._pair = pair
        self._undo = undo
        self._clock = clock
        self._facts = directory.facts()
        self._aliases = self._read_aliases()
        self._forest = Forest(directory, self._facts)

    def show(self, wanted: Sequence[str]) -> Report:
        """Who owns each wanted name."""
        kept = self._kept()
        names = unique([*(kept.taken if kept and kept.phase == taken.OUT else ()), *wanted])
        held = self._look(names).held
        lines = tuple(self._owner(one, held) for one in names)
        return Report("show", plan_take(names, held, self._aliases).is_empty, lines)

    def plan(self, wanted: Sequence[str]) -> Report:
        """What ``take`` would do."""
        kept = self._kept()
        names = unique([*(kept.taken if kept else ()), *wanted])
        seen = self._look(names)
        move = plan_take(names, seen.held, self._aliases)
        self._refuse(move, names, seen.held)
        if not move.is_empty:
            self._refuse_without_rights(seen)
        return Report("take", move.is_empty, self._lines(move, "would-take", "would-give", names), self._forest.remarks)

    def plan_back(self) -> Report:
        """What ``back`` would do."""
        kept = self._kept()
        if kept is None:
            return Report("back", so=True, remarks=("nothing was taken, so nothing is given back",))
        move, left = plan_back(
            kept.taken,
            kept.given,
            kept.target_before,
            self._look([*kept.taken, *kept.given]).held,
            self._aliases,
        )
        lines = self._lines(move, "would-take-away", "would-give-back", ())
        return Report("back", move.is_empty, lines, tuple(_left(one) for one in left))

    def take(self, wanted: Sequence[str]) -> Report:
        """The target alone owns every wanted name.

        Raises:
            SpnCollision: a third account holds one of them, or a rival of one.
            RightMissing: one of the two accounts may not be changed; nothing was, so that no name is left without an owner.
            TakeoverIncomplete: somebody goes on changing the accounts; run it again.
            DirectoryError: the controller refuses, or does not answer.
        """
        kept = self._kept()
        done = Move()
        for _ in range(_PASSES):
            names = unique([*(kept.taken if kept else ()), *wanted])
            seen = self._look(names)
            move = plan_take(names, seen.held, self._aliases)
            if move.is_empty:
                return self._arrived("take", done, names, kept, seen)
            self._refuse(move, names, seen.held)
            if done.is_empty:
                self._refuse_without_rights(seen)
            kept = self._remember(kept, move, seen)
            if move.take:
                done = replace(done, take=(*done.take, *self._delete(seen.source, move.take)))
            else:
                done = replace(done, give=(*done.give, *self._add(seen.target, move.give)))
        raise self._restless()

    def back(self) -> Report:
        """Both accounts hold what they held before. Without an undo file there is nothing to do.

        Raises:
            TakeoverIncomplete: somebody goes on changing the accounts; run it again.
            DirectoryError: the controller refuses, or does not answer.
        """
        kept = self._kept()
        if kept is None:
            return self.plan_back()
        if kept.phase != taken.BACK:
            kept = msgspec.structs.replace(kept, phase=taken.BACK, began_s=self._clock.now())
            taken.save(self._undo, kept)
        done = Move()
        for _ in range(_PASSES):
            seen = self._look([*kept.taken, *kept.given])
            move, left = plan_back(kept.taken, kept.given, kept.target_before, seen.held, self._aliases)
            if move.is_empty:
                report = self._arrived("back", done, (), kept, seen).with_remarks(_left(one) for one in left)
                taken.retire(self._undo)
                return report
            if move.take:
                done = replace(done, take=(*done.take, *self._delete(seen.target, move.take)))
            else:
                done = replace(done, give=(*done.give, *self._add(seen.source, move.give)))
        raise self._restless()

    # -- reading

    def _look(self, spns: Iterable[str]) -> _Seen:
        source, target = (self._directory.account(one) for one in (self._pair.source, self._pair.target))
        ours = {source.dn.lower(), target.dn.lower()}
        fresh = [self._directory.read(one.dn, [ATTRIBUTE]) for one in (source, target)]
        source, target = (
            Entry(old.dn, new.attributes if new else {}) for old, new in zip((source, target), fresh, strict=True)
        )
        others = tuple(
            (self._forest.name_of(entry), spn)
            for entry in self._owners([*spns, *source.text(ATTRIBUTE)])
            if entry.dn.lower() not in ours
            for spn in entry.text(ATTRIBUTE)
        )
        return _Seen(source, target, Held(source.text(ATTRIBUTE), target.text(ATTRIBUTE), others))

    def _owners(self, spns: Iterable[str]) -> Iterable[Entry]:
        rivals = sorted({rival for spn in spns if "/" in spn for rival in self._aliases.rivals(spn)})
        for start in range(0, len(rivals), _SEARCH_AT_ONCE):
            yield from self._forest.holders(ATTRIBUTE, rivals[start : start + _SEARCH_AT_ONCE], "sAMAccountName")

    def _read_aliases(self) -> Aliases:
        dn = f"CN=Directory Service,CN=Windows NT,CN=Services,{self._facts.config_dn}"
        entry = None
        with contextlib.suppress(EntryMissing):
            entry = self._directory.read(dn, ["sPNMappings"])
        return Aliases.of(entry.text("sPNMappings") if entry else ())

    def _kept(self) -> TakenSpns | None:
        kept = taken.load(self._undo, TakenSpns)
        pair = (self._pair.source.lower(), self._pair.target.lower())
        if kept is not None and (kept.source.lower(), kept.target.lower()) != pair:
            reason = f"it holds what {kept.target} took from {kept.source}"
            raise TakenUnusable(path=self._undo, reason=reason, advice="give each pair a file of its own with --undo")
        return kept

    # -- changing

    def _remember(self, kept: TakenSpns | None, move: Move, seen: _Seen) -> TakenSpns:
        """The undo with this move in it, on disk."""
        more = TakenSpns(
            source=self._pair.source,
            target=self._pair.target,
            phase=taken.OUT,
            taken=tuple(dict.fromkeys((*(kept.taken if kept else ()), *move.take))),
            given=unique([*(kept.given if kept else ()), *move.give]),
            target_before=kept.target_before if kept else seen.held.target,
            controller=self._directory.server,
            began_s=kept.began_s if kept and kept.phase == taken.OUT else self._clock.now(),
        )
        if more != kept:
            taken.save(self._undo, more)
        return more

    def _refuse(self, move: Move, names: Sequence[str], held: Held) -> None:
        refuse_collisions(unique([*move.give, *names]), held.others, self._aliases, self._pair.target)

    def _refuse_without_rights(self, seen: _Seen) -> None:
        """Both accounts must be writable before the first change: a name taken that cannot be given would have no owner."""
        for entry in (seen.source, seen.target):
            fresh = self._directory.read(entry.dn, [_WRITABLE])
            if fresh is None or ATTRIBUTE.lower() not in {one.lower() for one in fresh.text(_WRITABLE)}:
                reason = "the controller does not list it among what may be written"
                raise RightMissing(principal=self._pair.principal, what=ATTRIBUTE, dn=entry.dn, reason=reason)

    def _delete(self, entry: Entry, values: tuple[str, ...]) -> tuple[str, ...]:
        return self._tried(entry, Delete(ATTRIBUTE, values), values)

    def _add(self, entry: Entry, values: tuple[str, ...]) -> tuple[str, ...]:
        return self._tried(entry, Add(ATTRIBUTE, values), values)

    def _tried(self, entry: Entry, change: Add | Delete, values: tuple[str, ...]) -> tuple[str, ...]:
        """The values when the change was made; none when somebody was there first: the next pass reads again."""
        try:
            self._directory.change(entry.dn, [change])
        except (ValueChanged, SpnNotUnique):
            return ()
        return values

    def _restless(self) -> TakeoverIncomplete:
        return TakeoverIncomplete(
            reason=f"the names of {self._pair.source} and {self._pair.target} change again and again on {self._directory.server}",
            advice="is the source fenced? a source that runs registers its names itself; then run the same command again",
        )

    # -- telling

    def _arrived(self, deed: str, done: Move, names: Sequence[str], kept: TakenSpns | None, seen: _Seen) -> Report:
        words = ("taken", "given") if deed == "take" else ("taken-away", "given-back")
        without_s = max(0.0, self._clock.now() - kept.began_s) if kept and done.give else 0.0
        measured = {"without_owner_s": round(without_s, 3)} if done.give else {}
        remarks = (
            ()
            if done.is_empty
            else self._spread(seen if deed == "take" else _Seen(seen.target, seen.source, seen.held))
        )
        lines = self._lines(done, *words, names)
        return Report(deed, so=True, lines=lines, remarks=(*self._forest.remarks, *remarks), measured=measured)

    def _spread(self, seen: _Seen) -> tuple[str, ...]:
        """See the change on every controller. They are asked to pull the loser first, so that none shows two owners; then the winner.

        Controllers that cannot be asked to pull (Samba's) follow by themselves, in the order in which the changes were made.
        """
        try:
            refused = self._directory.replicate(seen.source.dn)
            late = self._await([seen.source])
            if not refused and not late:
                self._directory.replicate(seen.target.dn)
            late = late or self._await([seen.source, seen.target])
        except DirectoryError as error:
            return (f"other controllers follow by themselves: {error}",)
        return tuple(f"{one} does not show it yet; it follows by itself" for one in late)

    def _await(self, entries: Sequence[Entry]) -> tuple[str, ...]:
        deadline = self._clock.now() + self._pair.await_s
        while True:
            late = {name: None for entry in entries for name in self._not_showing(entry)}
            if not late or self._clock.now() >= deadline:
                return tuple(late)
            self._clock.sleep(_POLL_S)

    def _not_showing(self, entry: Entry) -> tuple[str, ...]:
        shown = self._directory.shown_by(entry.dn, ATTRIBUTE, entry.values(ATTRIBUTE))
        return tuple(name for name, shows in shown if not shows)

    def _lines(self, move: Move, take: str, give: str, names: Sequence[str]) -> tuple[Line, ...]:
        back = "back" in give
        loser, winner = (self._pair.target, self._pair.source) if back else (self._pair.source, self._pair.target)
        touched = {one.lower() for one in (*move.take, *move.give)}
        return (
            *(Line(one, take, f"from {loser}") for one in move.take),
            *(Line(one, give, f"to {winner}") for one in move.give),
            *(Line(one, "already", f"with {winner}") for one in names if one.lower() not in touched),
        )

    def _owner(self, spn: str, held: Held) -> Line:
        everyone = (
            *((self._pair.source, one) for one in held.source),
            *((self._pair.target, one) for one in held.target),
            *held.others,
        )
        owners = [account for account, one in everyone if one.lower() == spn.lower()]
        state = "taken" if owners == [self._pair.target] else "not-taken" if owners else "missing"
        return Line(spn, state, f"with {', '.join(owners)}" if owners else "with nobody")


def _left(spn: str) -> str:
    return f"{spn} was not given back: another account holds it, or a rival of it, and it may have one owner only"
