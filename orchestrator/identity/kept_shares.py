"""Shares that wait on a target: made beforehand with their permissions, and closed (``available = no``), so that a failover only opens them.

A share that is open here is somebody's, or was taken over: it is neither closed nor changed. What was there before is kept in an undo
file of its own, so that an end of the protection takes away exactly what waits. What was asked for last lies in ``newest``: a takeover
opens that, whatever its script was told on the day of its delivery.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from orchestrator.identity import taken
from orchestrator.identity.errors import TakenUnusable
from orchestrator.identity.report import Line, Report
from orchestrator.identity.running import Runner
from orchestrator.identity.shares import Share, ShareDocument, Shares
from orchestrator.identity.smbconf import is_closed, reload, whole

_WORDS = {"taken": "kept", "would-take": "would-keep"}


@dataclass(frozen=True, slots=True)
class KeptShares:
    """Keeps, renews and drops."""

    runner: Runner
    undo: Path
    newest: Path | None = None

    def plan(self, document: ShareDocument) -> Report:
        """What ``keep`` would do."""
        wanted, stale = self._wanted(document), self._stale(document)
        report = self._told(Shares(self.runner, self.undo).plan(wanted), document, wanted)
        return msgspec.structs.replace(report, lines=(*(Line(one, "would-drop") for one in stale), *report.lines))

    def keep(self, document: ShareDocument) -> Report:
        """Every share of the document waits here, or is open; what waited and is in the document no more is gone.

        Raises:
            ShareRefused: one of the same name leads elsewhere, or its directory is not here. Of the others nothing was changed.
            ProgramFailed: a program of Samba's refused.
        """
        shares, stale = Shares(self.runner, self.undo), self._stale(document)
        if stale:
            shares.put_back(Path(document.conf), stale)
        wanted = self._wanted(document)
        report = self._told(shares.take(wanted), document, wanted)
        if self.newest is not None:
            taken.save(self.newest, document)
        return msgspec.structs.replace(report, lines=(*(Line(one, "dropped") for one in stale), *report.lines))

    def plan_renew(self, document: ShareDocument) -> Report:
        """What ``renew`` would do."""
        return self.plan(document) if self._was_kept() else _nothing_waits()

    def renew(self, document: ShareDocument) -> Report:
        """``keep``, where shares were kept before and not dropped since: whoever ends a protection is not undone by a late renewal.

        Raises:
            ShareRefused, ProgramFailed: as ``keep``.
        """
        return self.keep(document) if self._was_kept() else _nothing_waits()

    def _was_kept(self) -> bool:
        return self.newest is not None and self.newest.exists()

    def plan_drop(self, document: ShareDocument) -> Report:
        """What ``drop`` would do."""
        going = self._waiting(document)
        return Report("drop", not going, tuple(Line(one, "would-drop") for one in going), self._open_ones(document))

    def drop(self, document: ShareDocument) -> Report:
        """Nothing waits here any more; everything that waited is as it was before. What is open stays.

        Raises:
            ProgramFailed: a program of Samba's refused.
        """
        going, left = self._waiting(document), self._open_ones(document)
        remarks: tuple[str, ...] = ()
        if self.newest is not None:
            self.newest.unlink(missing_ok=True)
        if going:
            Shares(self.runner, self.undo).put_back(Path(document.conf), going)
            remarks = reload(self.runner, Path(document.conf))
        return Report("drop", so=True, lines=tuple(Line(one, "dropped") for one in going), remarks=(*remarks, *left))

    def _wanted(self, document: ShareDocument) -> ShareDocument:
        """As they are to wait, those left out that are open here."""
        here = self._here(document)
        closed = (_closed(one) for one in document.shares if not _is_open(here, one.name))
        return msgspec.structs.replace(document, shares=tuple(closed))

    def _stale(self, document: ShareDocument) -> tuple[str, ...]:
        """What waits here and is not wanted, or lies elsewhere by now."""
        here, wanted = self._here(document), {one.name.lower(): one.path for one in document.shares}
        return tuple(
            one for one in self._waiting(document) if here.get(one.lower(), {}).get("path") != wanted.get(one.lower())
        )

    def _waiting(self, document: ShareDocument) -> tuple[str, ...]:
        here = self._here(document)
        return tuple(one for one in Shares(self.runner, self.undo).kept if not _is_open(here, one))

    def _open_ones(self, document: ShareDocument) -> tuple[str, ...]:
        here = self._here(document)
        still = [one for one in Shares(self.runner, self.undo).kept if _is_open(here, one)]
        return (f"{', '.join(still)} is open here, and stays: give it back first",) if still else ()

    def _here(self, document: ShareDocument) -> dict[str, dict[str, str]]:
        return whole(self.runner, Path(document.conf))

    @staticmethod
    def _told(report: Report, document: ShareDocument, wanted: ShareDocument) -> Report:
        lines = tuple(Line(one.what, _WORDS.get(one.state, one.state), one.says) for one in report.lines)
        waiting = {one.name for one in wanted.shares}
        still = tuple(Line(one.name, "open", one.path) for one in document.shares if one.name not in waiting)
        return msgspec.structs.replace(report, deed="keep", lines=(*lines, *still))


def newest_of(path: Path | None) -> ShareDocument | None:
    """What was kept last; None where nothing was, or it cannot be read: a takeover never fails because of it."""
    try:
        return taken.load(path, ShareDocument) if path is not None else None
    except TakenUnusable:
        return None


def _nothing_waits() -> Report:
    return Report("renew", so=True, remarks=("no shares wait here: nothing is made anew",))


def _closed(share: Share) -> Share:
    return msgspec.structs.replace(share, options={**share.options, "available": "no"})


def _is_open(here: Mapping[str, Mapping[str, str]], name: str) -> bool:
    found = here.get(name.lower())
    return found is not None and not is_closed(found.get("available"))
