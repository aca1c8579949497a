"""Shares of Samba: read with their permissions wherever they were defined, put on this host, and taken away again.

Read: smb.conf, the registry and user shares; share permissions as SDDL with numeric masks. Administrative shares, printers, homes and
those of a domain controller are left out. Put: in the registry where smb.conf reads it, else in a file of our own that it includes.
A share of the same name that leads elsewhere is refused, never overwritten.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import msgspec

from orchestrator.identity import taken
from orchestrator.identity.errors import DocumentInvalid, ProgramFailed, ShareRefused
from orchestrator.identity.report import Line, Report
from orchestrator.identity.running import Runner, failed, need
from orchestrator.identity.sddl import numeric, of_usershare
from orchestrator.identity.smbconf import Store, is_closed, is_true, parameter, reread, sections_of, store_for, whole

EVERYONE = "D:(A;;0x001f01ff;;;WD)"
_LEFT_OUT = {"global", "homes", "printers", "print$", "ipc$", "admin$", "netlogon", "sysvol"}
_NO_SHARE = "Invalid sharename"
_OWN_FIELDS = ("path", "comment")


class Share(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A share: where it leads, what else smb.conf says of it, and who may use it (empty ``sddl``: everyone)."""

    name: str
    path: str
    comment: str = ""
    options: dict[str, str] = {}
    sddl: str = ""

    @property
    def says(self) -> dict[str, str]:
        """As a section of smb.conf."""
        comment = {"comment": self.comment} if self.comment else {}
        return {"path": self.path, **comment, **{word.lower(): value for word, value in self.options.items()}}


class ShareDocument(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The shares that this host is to have."""

    conf: str = "/etc/samba/smb.conf"
    shares: tuple[Share, ...] = ()


class ShareBefore(msgspec.Struct, frozen=True):
    """What was in the place of a share: its section where ours is written now (None: none), and its permissions."""

    says: dict[str, str] | None
    sddl: str


class TakenShares(msgspec.Struct, frozen=True):
    """The undo, by name of share."""

    phase: str
    before: dict[str, ShareBefore]


def read_shares(runner: Runner, conf: Path) -> tuple[Share, ...]:
    """The shares of this host that can be taken over, ordered by name.

    Raises:
        ProgramFailed: a program of Samba's refused.
        DocumentInvalid: the permissions of a user's share cannot be read.
    """
    configured, users = whole(runner, conf), user_shares(runner, conf)
    found = {**users, **configured}
    wanted = {name: says for name, says in found.items() if name not in _LEFT_OUT and not _is_left_out(says)}
    sddl = {name: (read_sddl if name in configured else _usershare_sddl)(runner, conf, name) for name in wanted}
    return tuple(_share(name, says, sddl[name]) for name, says in sorted(wanted.items()))


def user_shares(runner: Runner, conf: Path) -> dict[str, dict[str, str]]:
    """Shares that users defined, as sections."""
    folder = Path(parameter(runner, conf, "usershare path") or "/nonexistent")
    ran = runner.run(["net", f"--configfile={conf}", "usershare", "info", "*"]) if folder.is_dir() else None
    if ran is None or not ran.ok:
        return {}
    return {
        name: {
            "path": says.get("path", ""),
            "comment": says.get("comment", ""),
            "read only": "no",
            "guest ok": "yes" if says.get("guest_ok") == "y" else "no",
        }
        for name, says in sections_of(ran.out).items()
        if name != "global"
    }


def _usershare_sddl(runner: Runner, conf: Path, name: str) -> str:
    """The permissions of a share that a user defined, as its file numbers them; Samba keeps them nowhere else.

    Raises:
        DocumentInvalid: they cannot be read; they are never taken for everyone's then.
    """
    path = Path(parameter(runner, conf, "usershare path")) / name
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DocumentInvalid(reason=f"the permissions of the user share {name} cannot be read: {error}") from error
    acl = next((line.partition("=")[2] for line in text.splitlines() if line.startswith("usershare_acl=")), "")
    return of_usershare(acl)


def read_sddl(runner: Runner, conf: Path, name: str) -> str:
    """The permissions of a share; those of everyone where none are stored, or no such share is there.

    Raises:
        ProgramFailed: they cannot be asked; they are never taken for everyone's then.
    """
    words = _sharesec(conf, name, "--viewsddl")
    ran = runner.run(words)
    if not ran.ok and _NO_SHARE not in ran.out + ran.err:
        raise failed(words, ran)
    found = [line for line in ran.out.splitlines() if "D:" in line]
    return numeric(found[-1]) if ran.ok and found else EVERYONE


class Reading:
    """What this host says of shares, each thing asked once. ``sddl``: permissions that are known."""

    def __init__(self, runner: Runner, conf: Path, sddl: Mapping[str, str] | None = None) -> None:
        self._runner = runner
        self._conf = conf
        self._sddl = dict(sddl or {})

    @cached_property
    def sections(self) -> dict[str, dict[str, str]]:
        """As Samba reads them, wherever they were said."""
        return whole(self._runner, self._conf)

    @cached_property
    def ours(self) -> dict[str, dict[str, str]]:
        """Where ours are written."""
        return store_for(self._runner, self._conf, shares=True).sections()

    def sddl(self, name: str) -> str:
        """The permissions of a share.

        Raises:
            ProgramFailed: they cannot be asked.
        """
        if name not in self._sddl:
            self._sddl[name] = read_sddl(self._runner, self._conf, name)
        return self._sddl[name]

    def is_so(self, share: Share) -> bool:
        """Whether a share is here as wanted, with its permissions."""
        low = share.name.lower()
        same = _same(share, self.sections.get(low), self.ours.get(low, {}))
        return same and numeric(share.sddl or EVERYONE) == self.sddl(share.name)


def _sharesec(conf: Path, name: str, *options: str) -> list[str]:
    """The words of a call; a name may begin with a dash."""
    return ["sharesec", f"--configfile={conf}", *options, "--", name]


def _is_left_out(says: Mapping[str, str]) -> bool:
    return is_true(says.get("printable")) or is_closed(says.get("available")) or not says.get("path")


def _share(name: str, says: Mapping[str, str], sddl: str) -> Share:
    options = {word: value for word, value in says.items() if word not in _OWN_FIELDS and value}
    return Share(name, says["path"], says.get("comment", ""), options, sddl)


@dataclass(frozen=True, slots=True)
class Shares:
    """Puts, takes away and shows."""

    runner: Runner
    undo: Path

    def show(self, document: ShareDocument) -> Report:
        """Which of the shares are here as wanted; with ``found``, every share of this host as a document would name it."""
        conf = Path(document.conf)
        found = {"shares": msgspec.to_builtins(read_shares(self.runner, conf))}
        missing = _missing(document, self._reading(document))
        lines = _lines(document, missing, "not-taken", "taken")
        return Report("show", not missing, lines, found=found)

    def plan(self, document: ShareDocument) -> Report:
        """What ``take`` would do."""
        here = self._reading(document)
        missing = _missing(document, here)
        _refuse(missing, here)
        return Report("take", not missing, _lines(document, missing, "would-take", "already"))

    def take(self, document: ShareDocument) -> Report:
        """Every share is here, with its permissions.

        Raises:
            ShareRefused: one of the same name leads elsewhere, or its directory is not here. Nothing was changed.
            ProgramFailed: a program of Samba's refused.
        """
        here, conf = self._reading(document), Path(document.conf)
        missing = _missing(document, here)
        _refuse(missing, here)
        lines = _lines(document, missing, "taken", "already")
        if not missing:
            return Report("take", so=True, lines=lines)
        store = store_for(self.runner, conf, shares=True)
        self._remember(here, missing)
        kept = {name: here.sddl(name) for name, share in missing.items() if self._put(store, conf, share, here)}
        still = _missing(
            msgspec.structs.replace(document, shares=tuple(missing.values())), self._reading(document, kept)
        )
        if still:
            command = f"testparm -s {conf}"
            reason = f"Samba says otherwise of {', '.join(still)}"
            raise ProgramFailed(program="testparm", reason=reason, command=command)
        reread(self.runner, conf)
        return Report("take", so=True, lines=lines)

    def plan_back(self, document: ShareDocument) -> Report:
        """What ``back`` would do."""
        kept = self._kept()
        lines = tuple(Line(one, "would-give-back") for one in (kept.before if kept else ()))
        return Report("back", kept is None or not document.conf, lines)

    def back(self, document: ShareDocument) -> Report:
        """Every share is as it was before: most are not there, and whoever used them is sent away.

        Raises:
            ProgramFailed: a program of Samba's refused.
        """
        kept, conf = self._kept(), Path(document.conf)
        if kept is None:
            return Report("back", so=True, remarks=("nothing was taken",))
        self.put_back(conf, tuple(kept.before))
        reread(self.runner, conf)
        return Report("back", so=True, lines=tuple(Line(one, "given-back") for one in kept.before))

    @property
    def kept(self) -> tuple[str, ...]:
        """The shares that the undo file speaks of."""
        kept = self._kept()
        return tuple(kept.before) if kept else ()

    def put_back(self, conf: Path, names: Sequence[str]) -> None:
        """Let these be as they were before; the undo file speaks of them no more.

        Raises:
            ProgramFailed: a program of Samba's refused.
        """
        kept = self._kept()
        if kept is None:
            return
        store = store_for(self.runner, conf, shares=True)
        for name in names:
            self._put_back(store, conf, name, kept.before[name])
        left = {name: before for name, before in kept.before.items() if name not in names}
        if left:
            taken.save(self.undo, TakenShares(kept.phase, left))
        else:
            taken.retire(self.undo)

    def _reading(self, document: ShareDocument, sddl: Mapping[str, str] | None = None) -> Reading:
        return Reading(self.runner, Path(document.conf), sddl)

    def _put(self, store: Store, conf: Path, share: Share, here: Reading) -> bool:
        """Whether its permissions were right already, so that they need not be asked again."""
        store.write(share.name, share.says)
        wanted = numeric(share.sddl or EVERYONE)
        right = wanted == here.sddl(share.name)
        if not right:
            need(self.runner, _sharesec(conf, share.name, f"--setsddl={wanted}"))
        return right

    def _put_back(self, store: Store, conf: Path, name: str, before: ShareBefore) -> None:
        if before.says is None:
            self.runner.run(_sharesec(conf, name, "--delete"))
            store.write(name, None)
        else:
            store.write(name, before.says)
            self._set_sddl(conf, name, before.sddl)
        if before.says is None or is_closed(before.says.get("available")):
            self.runner.run(["smbcontrol", f"--configfile={conf}", "smbd", "close-share", name])

    def _set_sddl(self, conf: Path, name: str, sddl: str) -> None:
        if (wanted := numeric(sddl or EVERYONE)) != read_sddl(self.runner, conf, name):
            need(self.runner, _sharesec(conf, name, f"--setsddl={wanted}"))

    def _remember(self, here: Reading, missing: Mapping[str, Share]) -> None:
        kept = self._kept()
        before = dict(kept.before) if kept else {}
        for name in missing:
            if name not in before:
                before[name] = ShareBefore(here.ours.get(name.lower()), here.sddl(name))
        taken.save(self.undo, TakenShares(taken.OUT, before))

    def _kept(self) -> TakenShares | None:
        return taken.load(self.undo, TakenShares)


def _same(share: Share, here: Mapping[str, str] | None, ours: Mapping[str, str]) -> bool:
    """Path, comment and whether it is open as Samba reads them, and no word that was put here says anything else by now."""
    says = share.says
    if here is None or here.get("path") != share.path or here.get("comment", "") != share.comment:
        return False
    if is_closed(here.get("available")) != is_closed(says.get("available")):
        return False
    return all(ours[word] == value for word, value in says.items() if word in ours)


def _missing(document: ShareDocument, here: Reading) -> dict[str, Share]:
    return {one.name: one for one in document.shares if not here.is_so(one)}


def _refuse(missing: Mapping[str, Share], here: Reading) -> None:
    for share in missing.values():
        there = here.sections.get(share.name.lower())
        if share.name.lower() in _LEFT_OUT:
            raise ShareRefused(share=share.name, reason="it belongs to the system", advice="leave it out")
        if there is not None and there.get("path") != share.path:
            advice = "rename one of the two, or leave it out of what is taken over"
            reason = f"a share of that name leads to {there.get('path')}, not to {share.path}"
            raise ShareRefused(share=share.name, reason=reason, advice=advice)
        if not Path(share.path).is_dir():
            advice = "is its data replicated to the same path here?"
            raise ShareRefused(share=share.name, reason=f"there is no directory {share.path}", advice=advice)


def _lines(document: ShareDocument, missing: Mapping[str, Share], new: str, old: str) -> tuple[Line, ...]:
    return tuple(Line(one.name, new if one.name in missing else old, one.path) for one in document.shares)
