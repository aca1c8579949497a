"""Who a remote caller is: a token, an operating-system account with its password, or a Kerberos ticket.

| from | by | checked by |
|---|---|---|
| Bearer | token | its hash |
| Basic | name and password | PAM (``pam``) |
| Negotiate | Kerberos ticket | the host's keytab (``negotiate``), then PAM's account phase |

What an account may do is its groups' word (``accounts.account_scope``), looked up through NSS. A password that was right is remembered
for ``REMEMBER_S`` as an HMAC with a key of this process, so that a caller who asks often costs one check; withdrawn rights count
after that time. It counts for the source that sent it, and is looked up only while no attempt of that source is checked or must wait:
else somebody could guess as fast as they can send. Attempts of one source are checked one after the other, its failures slowed and
limited (``throttle``); tokens are not, they cannot be guessed.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
import functools
import hashlib
import hmac
import math
import secrets
import time
import weakref
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Protocol

from orchestrator.engine.control import accounts, negotiate, pam
from orchestrator.engine.control.basic import Given, read_basic
from orchestrator.engine.control.errors import Forbidden, TooManyFailures, Unauthorised
from orchestrator.engine.control.schema import Scope
from orchestrator.engine.control.throttle import Throttle, source_of
from orchestrator.engine.control.timed import TimedThreads

REMEMBER_S = 30.0
REMEMBERED_MAX = 256
FAILURE_PAUSE_S = 1.0
WAITING_MAX = 64


@dataclass(frozen=True, slots=True)
class Recognised:
    """A caller, and the header value that answers their ticket (empty when they sent none)."""

    caller: accounts.Caller
    answer: str = ""


class Checks(Protocol):
    """What the operating system is asked. Each may wait, and raises Unauthorised."""

    def password(self, name: str, password: str, source: str) -> None:
        """Whether the password is right and the account may be used."""

    def account(self, name: str, source: str) -> None:
        """Whether an account that was recognised may be used."""

    def ticket(self, ticket: str) -> negotiate.Accepted:
        """Whose ticket it is."""

    def scope(self, name: str) -> Scope | None:
        """What the account's groups allow; None for an account the host does not know or that is in neither group."""

    def known(self, name: str) -> bool:
        """Whether the host's user database knows the name."""

    def domain_prefix(self) -> str:
        """What stands before the names of the host's own domain."""


@dataclass(frozen=True, slots=True)
class SystemChecks:
    """The real ones. ``binding`` is what tickets may be bound to."""

    binding: bytes

    def password(self, name: str, password: str, source: str) -> None:
        """PAM's word."""
        pam.check_password(name, password, source)

    def account(self, name: str, source: str) -> None:
        """PAM's word."""
        pam.check_account(name, source)

    def ticket(self, ticket: str) -> negotiate.Accepted:
        """The keytab's word."""
        return negotiate.accept(ticket, self.binding)

    def scope(self, name: str) -> Scope | None:
        """The groups' word."""
        return accounts.account_scope(name)

    def known(self, name: str) -> bool:
        """The user database's word."""
        return accounts.is_known(name)

    def domain_prefix(self) -> str:
        """Winbind's word."""
        return accounts.own_domain_prefix()


@dataclass(slots=True, weakref_slot=True)
class Turn:
    """Whose attempts of a source come next; ``waiting`` counts those that stand in line and the one that is checked."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    waiting: int = 0


@dataclass(slots=True)
class Logins:
    """Recognises remote callers. Used from the event loop's thread only."""

    tokens: accounts.Tokens
    checks: Checks
    threads: TimedThreads = field(default_factory=TimedThreads)
    throttle: Throttle = field(default_factory=Throttle)
    now_s: Callable[[], float] = time.monotonic
    failure_pause_s: float = FAILURE_PAUSE_S
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _right: collections.OrderedDict[bytes, tuple[accounts.Caller, float]] = field(
        default_factory=collections.OrderedDict, repr=False
    )
    _turns: weakref.WeakValueDictionary[str, Turn] = field(default_factory=weakref.WeakValueDictionary, repr=False)

    async def recognise(self, authorization: str, address: str) -> Recognised | None:
        """Who sent this Authorization header from this address; None when it holds no token that counts.

        Raises:
            Unauthorised: the account or the ticket is not right. Forbidden: it is right, and in neither group.
            TooManyFailures: the source must wait.
        """
        kind, _, value = authorization.partition(" ")
        match kind.lower():
            case "bearer":
                caller = self.tokens.caller(value.strip())
                return Recognised(caller) if caller else None
            case "basic":
                return await self._by_password(value.strip(), address)
            case "negotiate":
                return await self._by_ticket(value.strip(), address)
            case _:
                return None

    async def _by_password(self, credentials: str, address: str) -> Recognised:
        given, source = read_basic(credentials), source_of(address)
        digest = hmac.digest(self._key, f"{source}\0{given.name}\0{given.password}".encode(), hashlib.sha256)
        if self._is_calm(source) and (known := self._remembered(digest)) is not None:
            return known
        async with self._turn(source):
            if (known := self._remembered(digest)) is not None:
                return known
            found = await self._attempt(source, functools.partial(self._ask_pam, given, address))
            self._remember(digest, found.caller)
        return found

    async def _by_ticket(self, ticket: str, address: str) -> Recognised:
        source = source_of(address)
        async with self._turn(source):
            return await self._attempt(source, functools.partial(self._ask_kerberos, ticket, address))

    def _is_calm(self, source: str) -> bool:
        """Nothing of this source is being checked, and it need not wait: so an answer at once tells a guesser one thing at a time."""
        turn = self._turns.get(source)
        return (turn is None or turn.waiting == 0) and self.throttle.pause_s(source, self.now_s()) <= 0

    def _remembered(self, digest: bytes) -> Recognised | None:
        caller, until_s = self._right.get(digest, (None, 0.0))
        return Recognised(caller) if caller is not None and self.now_s() < until_s else None

    def _remember(self, digest: bytes, caller: accounts.Caller) -> None:
        self._right[digest] = caller, self.now_s() + REMEMBER_S
        self._right.move_to_end(digest)
        if len(self._right) > REMEMBERED_MAX:
            self._right.popitem(last=False)

    @contextlib.asynccontextmanager
    async def _turn(self, source: str) -> AsyncIterator[None]:
        """One attempt of a source at a time; too many that wait are sent away, and so is who was wrong too often."""
        turn = self._turns.setdefault(source, Turn())
        if turn.waiting >= WAITING_MAX:
            raise TooManyFailures(
                why=f"too many log-ins from {source} wait to be checked", hint="try again in a moment"
            )
        turn.waiting += 1
        try:
            async with turn.lock:
                self._refuse_hasty(source)
                yield
        finally:
            turn.waiting -= 1

    def _refuse_hasty(self, source: str) -> None:
        wait_s = self.throttle.pause_s(source, self.now_s())
        if wait_s > 0:
            why = f"too many failed log-ins from {source}: try again in {math.ceil(wait_s)} s"
            hint = "tokens, the UNIX socket and other addresses are not held up; the engine's events name the failures"
            raise TooManyFailures(why=why, hint=hint)

    async def _attempt(self, source: str, check: Callable[[], Recognised]) -> Recognised:
        try:
            return await self.threads.run(check)
        except TimeoutError as error:
            why = f"the host did not check the log-in within {self.threads.limit_s:g} s"
            hint = "see on that host whether its domain controllers and name services answer ('getent passwd NAME')"
            raise Unauthorised(why=why, hint=hint) from error
        except Forbidden:
            raise
        except Unauthorised:
            self.throttle.failed(source, self.now_s())
            await asyncio.sleep(self.failure_pause_s)
            raise

    # -- in threads

    def _ask_pam(self, given: Given, address: str) -> Recognised:
        self.checks.password(given.name, given.password, address)
        return Recognised(self._caller(given.name))

    def _ask_kerberos(self, ticket: str, address: str) -> Recognised:
        accepted = self.checks.ticket(ticket)
        names = negotiate.account_names(accepted, self.checks.domain_prefix())
        name = next((one for one in names if self.checks.known(one)), None)
        if name is None:
            hint = "see there whether 'getent passwd' knows the account (winbind or sssd for a domain)"
            raise Forbidden(why=f"this host has no account for {accepted.principal}", hint=hint)
        self.checks.account(name, address)
        return Recognised(self._caller(name), f"Negotiate {accepted.answer}")

    def _caller(self, name: str) -> accounts.Caller:
        scope = self.checks.scope(name)
        if scope is None:
            raise accounts.in_neither_group(name)
        return accounts.Caller(f"account {name}", scope)
