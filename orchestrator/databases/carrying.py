"""What of the kept log-ins a server lacks: pure, from what is kept and what is there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

import msgspec

from orchestrator.databases.kept import KeptLogin, KeptLogins
from orchestrator.databases.statements import SQL_2012
from orchestrator.model.sql import SqlInstance, SqlLogin

_HASHES = {"0x0200": SQL_2012, "0x0300": 17}
"""By how a hash begins: the oldest release that takes it."""
_CONNECT = "GRANT CONNECT SQL"


class Lacking(msgspec.Struct, frozen=True):
    """What is to be made. ``create``, ``passwords`` and ``disable`` are names, the others lists by name. ``left`` says what is not carried, and why."""

    create: tuple[str, ...] = ()
    passwords: tuple[str, ...] = ()
    disable: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = {}
    permissions: dict[str, tuple[str, ...]] = {}
    left: tuple[str, ...] = ()

    @property
    def nothing(self) -> bool:
        """Whether all is there that can be."""
        return not (self.create or self.passwords or self.disable or self.roles or self.permissions)

    @property
    def says(self) -> str:
        """One sentence."""
        parts = [f"{', '.join(self.create)} missing"] if self.create else []
        parts += [f"other password: {', '.join(self.passwords)}"] if self.passwords else []
        parts += [f"to be disabled: {', '.join(self.disable)}"] if self.disable else []
        parts += [f"roles or permissions missing: {', '.join(sorted({*self.roles, *self.permissions}))}"] * bool(
            self.roles or self.permissions
        )
        return "; ".join([*(parts or ["all log-ins are there"]), *self.left])


class Server(msgspec.Struct, frozen=True):
    """What the target has: its log-ins, the hashes of their passwords by name in lower case, and names that are left alone whatever they are."""

    itself: SqlInstance
    logins: tuple[SqlLogin, ...]
    hashes: Mapping[str, str]
    untouched: tuple[str, ...] = ()

    def __repr__(self) -> str:
        """Without the hashes."""
        return f"Server({self.itself.server_name!r})"


def lacking(kept: KeptLogins, target: Server, only: Collection[str] = ()) -> Lacking:
    """Compare; with ``only`` no other log-ins are looked at."""
    known = {one.name.lower(): one for one in target.logins}
    taken = {one.sid: one.name for one in target.logins if one.sid}
    looked_at = tuple(one for one in kept.logins if _concerns(one.login, kept, target, {name.lower() for name in only}))
    why = {one.login.name: _why_left(one, known.get(one.login.name.lower()), taken, target.itself) for one in looked_at}
    carried = [(one, known.get(one.login.name.lower())) for one in looked_at if not why[one.login.name]]
    return Lacking(
        create=tuple(one.login.name for one, now in carried if now is None),
        passwords=tuple(one.login.name for one, now in carried if now is not None and _differs(one, target.hashes)),
        disable=tuple(one.login.name for one, now in carried if one.login.disabled and not (now and now.disabled)),
        roles=_missing((one.login.name, one.login.roles, now.roles if now else ()) for one, now in carried),
        permissions=_missing(
            (one.login.name, one.login.permissions, now.permissions if now else ()) for one, now in carried
        ),
        left=tuple(reason for reason in why.values() if reason),
    )


def _concerns(login: SqlLogin, kept: KeptLogins, target: Server, wanted: Collection[str]) -> bool:
    hands_off = {one.lower() for one in (*target.untouched, *kept.accounts, target.itself.login)}
    name = login.name.lower()
    return (not wanted or name in wanted) and name not in hands_off and not login.own_to(target.itself.machine)


def _differs(one: KeptLogin, hashes: Mapping[str, str]) -> bool:
    return bool(one.password_hash) and hashes.get(one.login.name.lower(), one.password_hash) != one.password_hash


def _missing(told: Iterable[tuple[str, tuple[str, ...], tuple[str, ...]]]) -> dict[str, tuple[str, ...]]:
    """By name what is wanted and not had; whoever is made may connect anyway."""
    lacks = {name: tuple(one for one in wants if one not in has and one != _CONNECT) for name, wants, has in told}
    return {name: words for name, words in lacks.items() if words}


def _why_left(one: KeptLogin, now: SqlLogin | None, taken: Mapping[str, str], target: SqlInstance) -> str:
    """Why a log-in is not carried; empty when it can be."""
    name = one.login.name
    reasons = (
        (
            now is not None and now.sid != one.login.sid,
            f"{name} is another log-in there (SID {now.sid if now else ''}): it stays, users of the databases are mended instead",
        ),
        (
            now is None and one.login.sid in taken,
            f"{name} has the SID of {taken.get(one.login.sid)} there: it is not made",
        ),
        (
            one.login.kind == "sql" and not one.password_hash,
            f"{name}: the source did not tell the hash of its password",
        ),
        (_too_new(one, target.major), f"{name}: the hash of its password is of a newer release than {target.version}"),
    )
    return next((why for is_so, why in reasons if is_so), "")


def _too_new(one: KeptLogin, major: int) -> bool:
    needs = next((least for begins, least in _HASHES.items() if one.password_hash.startswith(begins)), 0)
    return 0 < major < needs
