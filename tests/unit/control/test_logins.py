"""Who a remote caller is, decided over stubs of the operating system: what is asked, remembered, slowed and refused."""

from __future__ import annotations

import asyncio
import base64
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from orchestrator.engine.control import accounts, hostnaming, negotiate
from orchestrator.engine.control.errors import Forbidden, TooManyFailures, Unauthorised
from orchestrator.engine.control.logins import REMEMBER_S, WAITING_MAX, Logins, Recognised
from orchestrator.engine.control.negotiate import Accepted
from orchestrator.engine.control.schema import Scope
from orchestrator.engine.control.throttle import FORGET_S, FREE, PAUSE_MAX_S, PAUSE_S, Throttle
from orchestrator.engine.control.timed import TimedThreads


@dataclass
class Host:
    """An operating system with one password."""

    right: str = "right"
    scopes: dict[str, Scope] = field(default_factory=lambda: {"ada": Scope.ADMIN})
    prefix: str = ""
    principal: str = "ada@LAB.EXAMPLE"
    asked: list[str] = field(default_factory=list)
    hang: threading.Event | None = None

    def password(self, name: str, password: str, _source: str) -> None:
        self.asked.append(name)
        if self.hang is not None:
            self.hang.wait(60)
        if password != self.right:
            raise Unauthorised(why=f"{name}: wrong", hint="")

    def account(self, name: str, _source: str) -> None:
        self.asked.append(f"account {name}")

    def ticket(self, _ticket: str) -> Accepted:
        return Accepted(self.principal, "LAB.EXAMPLE", "proof")

    def scope(self, name: str) -> Scope | None:
        return self.scopes.get(name)

    def known(self, name: str) -> bool:
        return name in self.scopes

    def domain_prefix(self) -> str:
        return self.prefix


def basic(name: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{name}:{password}'.encode()).decode()}"


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.s = 0.0

    def __call__(self) -> float:
        return self.s


def run(tmp_path: Path, host: Host, story: Callable[[Logins, Clock], object], limit_s: float = 30.0) -> object:
    async def told() -> object:
        clock = Clock()
        tokens = accounts.Tokens(tmp_path / "tokens.json")
        logins = Logins(tokens, host, TimedThreads(limit_s), now_s=clock, failure_pause_s=0.0)
        return await story(logins, clock)  # type: ignore[misc]

    return asyncio.run(told())


def test_a_right_password_is_asked_once_and_again_when_it_has_aged(tmp_path):
    host = Host()

    async def story(logins: Logins, clock: Clock) -> None:
        for _ in range(3):
            found = await logins.recognise(basic("ada", "right"), "192.0.2.1")
            assert found == Recognised(accounts.Caller("account ada", Scope.ADMIN))
        assert host.asked == ["ada"]
        clock.s = REMEMBER_S
        host.scopes = {}
        with pytest.raises(Forbidden, match="in neither group"):
            await logins.recognise(basic("ada", "right"), "192.0.2.1")

    run(tmp_path, host, story)


def test_many_at_once_cost_one_check(tmp_path):
    host = Host()

    async def story(logins: Logins, _: Clock) -> None:
        asked = (logins.recognise(basic("ada", "right"), "192.0.2.1") for _ in range(20))
        assert len({found.caller for found in await asyncio.gather(*asked) if found}) == 1
        assert host.asked == ["ada"]

    run(tmp_path, host, story)


@pytest.mark.covers("ENG-SEC-01")
def test_failures_hold_up_their_source_and_nobody_else(tmp_path):
    host = Host()

    async def story(logins: Logins, clock: Clock) -> None:
        for attempt in range(FREE):
            with pytest.raises(Unauthorised, match="ada: wrong"):
                await logins.recognise(basic("ada", f"guess {attempt}"), "2001:db8::1")
        for address in ("2001:db8::1", "2001:db8::ffff"):
            with pytest.raises(TooManyFailures, match="from 2001:db8::/64: try again in 30 s"):
                await logins.recognise(basic("ada", "right"), address)
        assert len(host.asked) == FREE
        assert await logins.recognise(basic("ada", "right"), "2001:db8:0:1::1")
        clock.s = PAUSE_S
        assert await logins.recognise(basic("ada", "right"), "2001:db8::1")

    run(tmp_path, host, story)


def test_twenty_guesses_at_once_are_worth_no_more(tmp_path):
    host = Host()

    async def story(logins: Logins, _: Clock) -> None:
        guesses = (logins.recognise(basic("ada", f"guess {n}"), "192.0.2.1") for n in range(20))
        told = await asyncio.gather(*guesses, return_exceptions=True)
        assert len(host.asked) == FREE
        assert sum(isinstance(one, TooManyFailures) for one in told) == 20 - FREE

    run(tmp_path, host, story)


@pytest.mark.covers("ENG-SEC-01")
def test_what_is_remembered_is_no_way_to_guess_faster(tmp_path):
    """While somebody is logged in their password would else be told from others at once, as often as one likes."""
    host = Host()

    async def story(logins: Logins, clock: Clock) -> None:
        assert await logins.recognise(basic("ada", "right"), "192.0.2.1")
        for attempt in range(FREE):
            with pytest.raises(Unauthorised, match="ada: wrong"):
                await logins.recognise(basic("ada", f"guess {attempt}"), "192.0.2.2")
        for address in ("192.0.2.2", "192.0.2.2"):
            with pytest.raises(TooManyFailures, match="too many failed"):
                await logins.recognise(basic("ada", "right"), address)
        assert await logins.recognise(basic("ada", "right"), "192.0.2.1")
        guesses = [logins.recognise(basic("ada", f"guess {n}"), "192.0.2.1") for n in range(FREE)]
        told = await asyncio.gather(
            *guesses, logins.recognise(basic("ada", "right"), "192.0.2.1"), return_exceptions=True
        )
        assert isinstance(told[-1], TooManyFailures), "a right one among many at once is told from none of them"
        clock.s = PAUSE_S
        assert await logins.recognise(basic("ada", "right"), "192.0.2.1")

    run(tmp_path, host, story)


@pytest.mark.parametrize("header", ["Basic \xe9", "Basic ===", "Basic /w==", "Basic OnB3", "Basic YWRhOg=="])
def test_credentials_that_are_none_are_refused_in_a_line(tmp_path, header):
    async def story(logins: Logins, _: Clock) -> None:
        with pytest.raises(Unauthorised):
            await logins.recognise(header, "192.0.2.1")

    run(tmp_path, Host(), story)


@pytest.mark.parametrize("ticket", ["\xe9", "===", "bm8gdGlja2V0"])
def test_tickets_that_are_none_are_refused_in_a_line(ticket):
    pytest.importorskip("gssapi")
    with pytest.raises(Unauthorised, match="the Kerberos ticket was refused"):
        negotiate.accept(ticket, b"")


def test_a_source_that_floods_is_sent_away_and_others_are_served(tmp_path):
    host = Host()

    async def story(logins: Logins, _: Clock) -> None:
        flood = [asyncio.create_task(logins.recognise(basic("ada", f"guess {n}"), "192.0.2.1")) for n in range(200)]
        other = asyncio.create_task(logins.recognise(basic("ada", "right"), "192.0.2.2"))
        assert await other
        told = await asyncio.gather(*flood, return_exceptions=True)
        assert sum("wait to be checked" in str(one) for one in told) == 200 - WAITING_MAX

    run(tmp_path, host, story)


def test_pam_that_hangs_holds_up_one_source_and_ends_in_a_line(tmp_path):
    hang = threading.Event()
    host = Host(hang=hang)

    async def story(logins: Logins, _: Clock) -> None:
        slow = asyncio.create_task(logins.recognise(basic("ada", "right"), "192.0.2.1"))
        with pytest.raises(Unauthorised, match=r"did not check the log-in within 0\.2 s"):
            await slow
        hang.set()
        host.hang = None
        assert await logins.recognise(basic("ada", "right"), "192.0.2.1")

    run(tmp_path, host, story, limit_s=0.2)


@pytest.mark.covers("ENG-SEC-01")
@pytest.mark.parametrize(
    ("principal", "prefix", "known", "taken_for"),
    [
        ("ada@LAB.EXAMPLE", "", "ada", "ada"),
        ("ada@LAB.EXAMPLE", "LAB\\", "LAB\\ada", "LAB\\ada"),
        ("ada@LAB.EXAMPLE", "LAB\\", "ada", None),
        ("ada@LAB.EXAMPLE", "", "ada@LAB.EXAMPLE", "ada@LAB.EXAMPLE"),
        ("ada@OTHER.EXAMPLE", "", "ada", None),
        ("ada/admin@LAB.EXAMPLE", "", "ada", None),
        ("host/beta@LAB.EXAMPLE", "", "host/beta", None),
    ],
)
def test_whom_a_principal_is_taken_for(tmp_path, principal, prefix, known, taken_for):
    host = Host(principal=principal, prefix=prefix, scopes={known: Scope.MONITOR})

    async def story(logins: Logins, _: Clock) -> str | None:
        try:
            found = await logins.recognise("Negotiate dGlja2V0", "192.0.2.1")
        except Forbidden as error:
            assert f"no account for {principal}" in str(error)  # noqa: PT017
            return None
        assert found is not None
        assert found.answer == "Negotiate proof"
        assert host.asked == [f"account {taken_for}"]
        return found.caller.name

    assert run(tmp_path, host, story) == (f"account {taken_for}" if taken_for else None)


def test_unknown_kinds_and_no_header_are_nobody(tmp_path):
    async def story(logins: Logins, _: Clock) -> list[object]:
        return [await logins.recognise(text, "192.0.2.1") for text in ("", "Digest x", "Bearer wrong")]

    assert run(tmp_path, Host(), story) == [None, None, None]


def test_pauses_double_to_a_limit_and_failures_are_forgotten():
    throttle = Throttle()
    seen = []
    for attempt in range(FREE + 6):
        throttle.failed("x", float(attempt))
        seen.append(throttle.pause_s("x", float(attempt)))
    assert seen == [0.0] * (FREE - 1) + [PAUSE_S, 2 * PAUSE_S, 4 * PAUSE_S, 8 * PAUSE_S] + [PAUSE_MAX_S] * 3
    assert throttle.pause_s("x", FREE + 5 + FORGET_S) == 0.0


@pytest.mark.covers("ENG-SEC-01")
@pytest.mark.parametrize(
    ("groups", "domain", "scope"),
    [
        ({"dtadmin"}, "", Scope.ADMIN),
        ({"dtmon", "users"}, "", Scope.MONITOR),
        ({"dtmon", "dtadmin"}, "", Scope.ADMIN),
        ({"LAB\\dtadmin"}, "LAB\\", Scope.ADMIN),
        ({"lab+dtmon"}, "LAB+", Scope.MONITOR),
        ({"OTHER\\dtadmin"}, "LAB\\", None),
        ({"LAB\\dtadmin"}, "", None),
        ({"dtadmins", "xdtadmin"}, "LAB\\", None),
        (set(), "", None),
    ],
)
def test_groups_of_the_own_domain_count_and_of_no_other(groups, domain, scope):
    assert accounts.scope_of(groups, domain) == scope


def test_the_host_s_root_is_nobody_s_principal():
    assert accounts.is_known("root") is False
    assert accounts.account_scope("no-such-user-here") is None


@pytest.mark.covers("ENG-SEC-01")
@pytest.mark.parametrize(
    "failure", [subprocess.CalledProcessError(1, "wbinfo"), subprocess.TimeoutExpired("wbinfo", 10)]
)
def test_without_winbind_s_word_nobody_of_its_domain_is_let_in(monkeypatch, tmp_path, failure):
    def silent():
        raise failure

    monkeypatch.setattr(accounts, "_winbind_prefix", silent)
    names = tmp_path / "nsswitch.conf"
    monkeypatch.setattr(hostnaming, "NSSWITCH", names)
    names.write_text("passwd: files winbind\n")
    for groups in ({"LAB\\dtadmin"}, {"LAB\\dtmon", "dtmon"}):
        with pytest.raises(Forbidden, match="winbind does not answer"):
            accounts.scope_of(groups)
    assert accounts.scope_of({"dtadmin"}) is Scope.ADMIN
    assert accounts.scope_of({"dtmon"}) is Scope.MONITOR
    with pytest.raises(Forbidden):
        accounts.own_domain_prefix()
    names.write_text("passwd: files sss\n")
    assert accounts.own_domain_prefix() == ""
