"""Names under which this host's Samba answers: ``netbios aliases`` and ``additional dns hostnames``, taken over and given back.

What somebody had set there before stays, and is what is put back. Where smb.conf does not read the registry, a file of our own is
included, and says the whole list. In the end ``testparm`` must say that the names hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.identity import taken
from orchestrator.identity.errors import DocumentInvalid, TakeoverIncomplete
from orchestrator.identity.report import Line, Report
from orchestrator.identity.running import Runner
from orchestrator.identity.smbconf import GLOBAL, Included, Store, parameter, reload, store_for

NETBIOS, DNS = "netbios aliases", "additional dns hostnames"
_NETBIOS_LIMIT = 15


class NameDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The names to answer under. ``server`` is ``samba``, the only one known."""

    server: str = "samba"
    netbios: tuple[str, ...] = ()
    dns: tuple[str, ...] = ()
    conf: str = "/etc/samba/smb.conf"


class TakenNames(msgspec.Struct, frozen=True):
    """The undo: which names were added, and what each word said before where it is kept (None: nothing)."""

    phase: str
    added: dict[str, tuple[str, ...]]
    before: dict[str, str | None]


@dataclass(frozen=True, slots=True)
class Names:
    """Takes, gives back and shows."""

    runner: Runner
    undo: Path

    def show(self, document: NameDocument) -> Report:
        """Which of the names hold."""
        missing = self._missing(document)
        lines = _lines(document, missing, "not-taken", "taken")
        return Report("show", not any(missing.values()), lines)

    def plan(self, document: NameDocument) -> Report:
        """What ``take`` would do."""
        missing = self._missing(document)
        return Report("take", not any(missing.values()), _lines(document, missing, "would-take", "already"))

    def take(self, document: NameDocument) -> Report:
        """Samba answers under every name.

        Raises:
            DocumentInvalid: a name cannot be one.
            ProgramFailed: a program of Samba's refused.
            TakeoverIncomplete: Samba's configuration says otherwise further down.
        """
        missing, conf = self._missing(document), Path(document.conf)
        lines = _lines(document, missing, "taken", "already")
        if not any(missing.values()):
            return Report("take", so=True, lines=lines)
        store = store_for(self.runner, conf, shares=False)
        kept = self._kept() or TakenNames(taken.OUT, {}, {})
        kept = _merged(kept, missing, store.read(GLOBAL) or {})
        taken.save(self.undo, kept)
        wanted = {word: self._joined(conf, word, names) for word, names in missing.items() if names}
        store.write(GLOBAL, wanted)
        still = self._missing(document)
        if any(still.values()):
            names = ", ".join(one for some in still.values() for one in some)
            advice = (
                f"{conf} sets '{NETBIOS}' or '{DNS}' after what it includes: move these lines up, then run it again"
            )
            raise TakeoverIncomplete(reason=f"Samba does not answer under {names}", advice=advice)
        return Report("take", so=True, lines=lines, remarks=reload(self.runner, conf))

    def plan_back(self, document: NameDocument) -> Report:
        """What ``back`` would do."""
        kept = self._kept()
        lines = tuple(Line(one, "would-give-back") for names in (kept.added.values() if kept else ()) for one in names)
        return Report("back", kept is None or not document.conf, lines)

    def back(self, document: NameDocument) -> Report:
        """The words say what they said before; names that somebody else added since stay.

        Raises:
            ProgramFailed: a program of Samba's refused.
        """
        kept, conf = self._kept(), Path(document.conf)
        if kept is None:
            return Report("back", so=True, remarks=("nothing was taken",))
        store = store_for(self.runner, conf, shares=False)
        now = store.read(GLOBAL) or {}
        store.write(GLOBAL, {word: _restored(word, kept, now, store) for word in kept.added})
        remarks = reload(self.runner, conf)
        taken.retire(self.undo)
        lines = tuple(Line(one, "given-back") for names in kept.added.values() for one in names)
        return Report("back", so=True, lines=lines, remarks=remarks)

    def _missing(self, document: NameDocument) -> dict[str, tuple[str, ...]]:
        _refuse_form(document)
        found = {}
        for word, wanted in ((NETBIOS, document.netbios), (DNS, document.dns)):
            has = {one.lower() for one in self._now(Path(document.conf), word)} if wanted else set()
            found[word] = tuple(one for one in wanted if one.lower() not in has)
        return found

    def _now(self, conf: Path, word: str) -> tuple[str, ...]:
        return _split(parameter(self.runner, conf, word))

    def _joined(self, conf: Path, word: str, more: tuple[str, ...]) -> str:
        return " ".join((*self._now(conf, word), *more))

    def _kept(self) -> TakenNames | None:
        return taken.load(self.undo, TakenNames)


def _refuse_form(document: NameDocument) -> None:
    if document.server != "samba":
        raise DocumentInvalid(reason=f"names of the server '{document.server}' cannot be taken over, only samba's")
    for name in document.netbios:
        if not name or len(name) > _NETBIOS_LIMIT or not name.replace("-", "").replace("_", "").isalnum():
            raise DocumentInvalid(reason=f"'{name}' is no NetBIOS name: 1 to {_NETBIOS_LIMIT} letters, digits, - and _")
    for name in document.dns:
        if not name or not name.replace("-", "").replace("_", "").replace(".", "").isalnum():
            raise DocumentInvalid(reason=f"'{name}' is no DNS name")


def _merged(kept: TakenNames, missing: Mapping[str, tuple[str, ...]], now: Mapping[str, str]) -> TakenNames:
    """What an earlier run found before it changed anything is never forgotten."""
    added = dict(kept.added)
    for word, names in missing.items():
        if names:
            added[word] = tuple(dict.fromkeys((*added.get(word, ()), *names)))
    before = {word: kept.before[word] if word in kept.before else now.get(word) for word in added}
    return TakenNames(taken.OUT, added, before)


def _restored(word: str, kept: TakenNames, now: Mapping[str, str], store: Store) -> str:
    """What was there before, and after it what somebody else added since. A file of our own holds nothing of its own."""
    before = _split(kept.before.get(word) or "")
    ours = {one.lower() for one in (*kept.added[word], *before)}
    if isinstance(store, Included) and not before:
        return ""
    since = tuple(one for one in _split(now.get(word, "")) if one.lower() not in ours)
    return " ".join((*before, *since))


def _split(value: str) -> tuple[str, ...]:
    return tuple(value.replace(",", " ").split())


def _lines(document: NameDocument, missing: Mapping[str, tuple[str, ...]], new: str, old: str) -> tuple[Line, ...]:
    pairs = [(NETBIOS, one) for one in document.netbios] + [(DNS, one) for one in document.dns]
    return tuple(Line(one, new if one in missing[word] else old, word) for word, one in pairs)
