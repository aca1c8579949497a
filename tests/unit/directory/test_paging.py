"""Of 50,000 computers one page is in memory; pages of a broken connection are not mixed up; tickets are renewed in time."""

# ruff: noqa: ARG002, ANN003  the wire's signatures

from __future__ import annotations

from collections import deque
from contextlib import ExitStack

import pytest

from orchestrator.directory import session
from orchestrator.directory.errors import ControllerUnreachable
from orchestrator.directory.locating import Answer, Candidate
from orchestrator.directory.port import DirectoryAccess, Entry, Replace
from orchestrator.directory.wire import PAGE_ENTRIES, Page

ACCESS = DirectoryAccess("lab.example")
ANSWER = Answer(Candidate("192.0.2.1"), "dc1.lab.example", "Default")


class Tracked(Entry):
    """An entry whose life is counted."""

    alive = 0

    def __post_init__(self) -> None:
        Tracked.alive += 1

    def __del__(self) -> None:
        Tracked.alive -= 1


class PageServer:
    """Stands for the wire: ``count`` entries in pages; breaks where it is told to."""

    def __init__(self, count: int = 0) -> None:
        self.count, self.binds, self.breaks, self.good = count, 0, deque[int](), True
        self.alive_max = self.questions = 0

    def __call__(self, access, address, name) -> PageServer:
        return self

    def bind(self, tickets):
        self.binds += 1

    def close(self):
        pass

    def answers(self):
        return self.good

    def asked(self, dn, attributes, spns=()):
        return None

    def modify(self, dn, changes, **more):
        self._count()

    def search(self, base, filter_, attributes, scope, *, cookie=None, sd_parts=0):
        self._count()
        first = int(cookie or b"0")
        until = min(first + PAGE_ENTRIES, self.count)
        entries = deque(Tracked(f"CN={number}", {"cn": (str(number).encode(),)}) for number in range(first, until))
        self.alive_max = max(self.alive_max, Tracked.alive)
        return Page(entries, str(until).encode() if until < self.count else b"")

    def _count(self):
        self.questions += 1
        if self.breaks and self.questions == self.breaks[0]:
            self.breaks.popleft()
            raise ControllerUnreachable(domain="lab.example", reason="connection reset")


@pytest.fixture
def server(monkeypatch):
    server = PageServer()
    monkeypatch.setattr(session, "Wire", server)
    return server


def opened(tickets=None):
    return session.LdapDirectory(ACCESS, ANSWER, tickets, ExitStack())


def names(directory):
    return [entry.first("cn") for entry in directory.find("DC=lab", "(cn=*)", ["cn"])]


def test_of_a_long_listing_one_page_is_in_memory(server):
    server.count = 50_000
    seen = 0
    for entry in opened().find("DC=lab", "(objectCategory=computer)", ["cn"]):
        assert entry.first("cn") == str(seen)
        seen += 1
    assert seen == 50_000
    assert server.questions == 50
    assert server.alive_max <= PAGE_ENTRIES + 1  # the one that the caller holds


def test_a_listing_left_early_asks_for_no_more(server):
    server.count = 50_000
    assert next(opened().find("DC=lab", "(cn=*)", ["cn"])).first("cn") == "0"
    assert server.questions == 1


def test_nothing_found_is_an_empty_listing(server):
    assert names(opened()) == []


def test_a_question_whose_connection_broke_is_asked_once_more(server):
    server.count, server.breaks = 3, deque([1])
    assert names(opened()) == ["0", "1", "2"]
    assert server.binds == 2


def test_a_page_in_the_middle_is_not_asked_again(server):
    server.count, server.breaks = PAGE_ENTRIES + 1, deque([2])
    with pytest.raises(ControllerUnreachable):
        names(opened())


def test_a_change_whose_connection_broke_is_not_made_again(server):
    server.breaks = deque([1])
    with pytest.raises(ControllerUnreachable):
        opened().change("CN=a", [Replace("mail", ("a@b",))])
    assert server.questions == 1


def test_a_connection_that_broke_while_idle_is_made_anew_before_a_change(server, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: now_s[0])
    directory = opened()
    server.good = False
    now_s[0] += 900
    directory.change("CN=a", [Replace("mail", ("a@b",))])
    assert (server.binds, server.questions) == (2, 1)


class ShortTickets:
    """Tickets that are about to end."""

    renewed = 0

    def renew_if_short(self):
        self.renewed += 1
        return True


def test_tickets_about_to_end_are_renewed_and_the_connection_bound_anew(server, monkeypatch):
    now_s = [1000.0]
    monkeypatch.setattr(session.time, "monotonic", lambda: now_s[0])
    tickets = ShortTickets()
    directory = opened(tickets)
    names(directory)
    assert (tickets.renewed, server.binds) == (0, 1)
    now_s[0] += 61
    names(directory)
    names(directory)
    assert (tickets.renewed, server.binds) == (1, 2)
