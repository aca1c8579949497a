"""Who may do what. Locally the kernel says who calls (UNIX-socket peer credentials); remotely a token or an account (``logins``).

uid 0, the daemon's own uid and members of group dtadmin may act; members of dtmon may look; everybody else gets nothing.
Tokens are 256 random bits, so one SHA-256 is a fitting hash: there is nothing to guess. Only hashes are stored.
"""

from __future__ import annotations

import grp
import hashlib
import hmac
import os
import pwd
import secrets
import shlex
import subprocess
import threading
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from orchestrator.engine.control import hostnaming, store
from orchestrator.engine.control.answers import Token
from orchestrator.engine.control.errors import Conflict, Forbidden, Unauthorised, Unknown
from orchestrator.engine.control.fields import Name, Request
from orchestrator.engine.control.schema import Scope, Sha256, TokenRequest

ADMIN_GROUP = "dtadmin"
MONITOR_GROUP = "dtmon"


@dataclass(frozen=True, slots=True)
class LocalPeer:
    """The process at the other end of the UNIX socket, as the kernel reports it."""

    uid: int
    gid: int
    pid: int


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who was recognised: a name for the journal, and what they may do."""

    name: str
    scope: Scope


class StoredToken(Request):
    """The stored form of a token: its hash."""

    name: Name
    scope: Scope
    sha256: Sha256
    created_ns: int


class StoredTokens(Request):
    """All tokens of an engine."""

    tokens: list[StoredToken] = []


def token_hash(secret: str) -> str:
    """The stored form of a token's secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


class Tokens:
    """The tokens of remote callers. Callable from any thread; one lock guards the list and its file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._tokens = store.load(path, StoredTokens).tokens if path.exists() else []

    def create(self, request: TokenRequest) -> Token:
        """Make a token; the secret is in the answer only."""
        secret = secrets.token_urlsafe(32)
        token = StoredToken(
            name=request.name, scope=request.scope, sha256=token_hash(secret), created_ns=time.time_ns()
        )
        with self._lock:
            if any(known.name == request.name for known in self._tokens):
                raise Conflict(
                    what=f"a second token {request.name}",
                    why="one of that name exists",
                    hint=f"revoke it first: dtengine token revoke {request.name}",
                )
            self._keep([*self._tokens, token])
        return Token(name=token.name, scope=token.scope, created_ns=token.created_ns, token=secret)

    def revoke(self, name: str) -> None:
        """The token counts no more from now on."""
        with self._lock:
            rest = [token for token in self._tokens if token.name != name]
            if len(rest) == len(self._tokens):
                raise Unknown(kind="token", name=name, listing="token list")
            self._keep(rest)

    def listed(self) -> list[Token]:
        """The tokens without their secret."""
        with self._lock:
            return [Token(name=token.name, scope=token.scope, created_ns=token.created_ns) for token in self._tokens]

    def caller(self, secret: str) -> Caller | None:
        """Whose token this is, or None."""
        hashed = token_hash(secret)
        with self._lock:
            known = list(self._tokens)
        found = [token for token in known if hmac.compare_digest(token.sha256, hashed)]
        return Caller(f"token {found[0].name}", found[0].scope) if found else None

    def _keep(self, tokens: list[StoredToken]) -> None:
        store.save(self._path, StoredTokens(tokens=tokens))
        self._tokens = tokens


def local_caller(peer: LocalPeer, own_uid: int) -> Caller | None:
    """What a local process may do. Looks groups up, which may take time: not for the event loop."""
    if peer.uid in (0, own_uid):
        return Caller(user_name(peer.uid), Scope.ADMIN)
    scope = scope_of(group_names(peer))
    return Caller(user_name(peer.uid), scope) if scope else None


def account_scope(name: str) -> Scope | None:
    """What the groups of a user allow, as NSS has them; None for one whom nobody knows. May take time."""
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        return None
    return scope_of({_group_name(number) for number in os.getgrouplist(user.pw_name, user.pw_gid)})


def is_known(name: str) -> bool:
    """Whether the user database has the name, as somebody other than uid 0: a principal of a domain is never this host's root."""
    try:
        return pwd.getpwnam(name).pw_uid != 0
    except KeyError:
        return False


def scope_of(groups: set[str], domain: str | None = None) -> Scope | None:
    r"""What membership of these groups allows. A group of the host's own domain counts as well: ``LAB\dtadmin``.

    ``domain`` is the prefix that winbind gives to the names of that domain; asked for when it is needed. A group of the same name
    in another domain that ours trusts is not ours.

    Raises:
        Forbidden: winbind names accounts of this host and does not say which domain is its own.
    """
    if ADMIN_GROUP in groups:
        return Scope.ADMIN
    prefixed = any(name.lower().endswith((ADMIN_GROUP, MONITOR_GROUP)) for name in groups - {MONITOR_GROUP})
    prefix = (own_domain_prefix() if domain is None else domain).lower() if prefixed else ""
    plain = groups | {
        name.lower().removeprefix(prefix) for name in groups if prefix and name.lower().startswith(prefix)
    }
    if ADMIN_GROUP in plain:
        return Scope.ADMIN
    return Scope.MONITOR if MONITOR_GROUP in plain else None


def own_domain_prefix() -> str:
    r"""What winbind puts before the names of the host's own domain (``LAB\\``); empty where winbind names no accounts.

    Raises:
        Forbidden: winbind names accounts here and does not answer. Without its word somebody of the domain could be taken for this
            host's own account of the same name.
    """
    try:
        return _winbind_prefix()
    except FileNotFoundError:
        return ""
    except (OSError, subprocess.SubprocessError) as error:
        if not hostnaming.has_winbind():
            return ""
        hint = "see on that host why 'wbinfo --own-domain' fails; a token, and root on the host itself, are let in meanwhile"
        raise Forbidden(
            why="winbind does not answer on this host, so nobody of its domain is recognised", hint=hint
        ) from error


@cache
def _winbind_prefix() -> str:
    domain, separator = (
        subprocess.run(["wbinfo", option], capture_output=True, text=True, timeout=10, check=True).stdout.strip()
        for option in ("--own-domain", "--separator")
    )
    return f"{domain}{separator}"


def in_neither_group(name: str) -> Forbidden:
    """The refusal of an account that is right and has no rights."""
    why = f"{name} is in neither group on this host: {ADMIN_GROUP} (may act) or {MONITOR_GROUP} (may look)"
    return Forbidden(why=why, hint=f"on that host, as root: gpasswd -a {shlex.quote(name)} {MONITOR_GROUP}")


def user_name(uid: int) -> str:
    """The name of a user, or the number of one who has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def group_names(peer: LocalPeer) -> set[str]:
    """The groups that the user database gives to the caller's user, and the group the process runs with."""
    numbers = {peer.gid}
    try:
        user = pwd.getpwuid(peer.uid)
        numbers.update(os.getgrouplist(user.pw_name, user.pw_gid))
    except KeyError:
        pass
    return {name for number in numbers if (name := _group_name(number))}


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return ""


def require(caller: Caller | None, needed: Scope, *, local: bool) -> Caller:
    """The caller, if they may do what is needed.

    Raises:
        Unauthorised: nobody known, or somebody who may only look.
    """
    if caller is None and local:
        hint = f"be root or a member of group {ADMIN_GROUP} (may act) or {MONITOR_GROUP} (may look)"
        raise Unauthorised(why="the engine does not know this user", hint=hint)
    if caller is None:
        hint = f"send a token (dtengine token create NAME --scope admin) or log in by an account of group {ADMIN_GROUP} or {MONITOR_GROUP}"
        raise Unauthorised(why="no valid token and no account was given", hint=hint)
    if needed is Scope.ADMIN and caller.scope is not Scope.ADMIN:
        raise Forbidden(why=f"{caller.name} may look, not act", hint=f"be a member of {ADMIN_GROUP} on that host")
    return caller
