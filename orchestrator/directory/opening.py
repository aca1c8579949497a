"""Opening a session: the controllers are found and asked, the first that answers is taken, one of our own site before others."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace

from orchestrator.directory.errors import ClockOff, DirectoryError
from orchestrator.directory.locating import Answer, Candidate, candidates, checked_domain, first_answers
from orchestrator.directory.port import Directory, DirectoryAccess
from orchestrator.directory.rootdse import ROOT_WORDS, facts_of, site_of_address
from orchestrator.directory.session import LdapDirectory
from orchestrator.directory.tickets import ticket_cache
from orchestrator.directory.wire import Wire


def open_directory(access: DirectoryAccess) -> Directory:
    """A session with one controller of the domain, to be closed by the caller.

    Raises:
        DirectoryError: no controller answers, the credentials are refused, or the access makes no sense.
    """
    access = replace(access, domain=checked_domain(access.domain))
    asked = candidates(access)
    answers = first_answers(access, asked, lambda one: _answer(access, one))
    in_order = dict.fromkeys([*(one.candidate.address for one in answers), *(one.address for one in asked)])
    try:
        with ExitStack() as guard:
            kept = guard.enter_context(ExitStack())
            tickets = None if uses_simple_bind(access) else kept.enter_context(ticket_cache(access, tuple(in_order)))
            session = LdapDirectory(access, answers[0], tickets, kept)
            _go_nearer(session, answers)
            guard.pop_all()
    except ClockOff as error:
        raise ClockOff(domain=access.domain, reason=apart(answers[0].ahead_s)) from error
    return session


def apart(ahead_s: float) -> str:
    """A difference of clocks in words."""
    return f"the domain's is {abs(ahead_s):.0f} s {'ahead' if ahead_s > 0 else 'behind'}"


def uses_simple_bind(access: DirectoryAccess) -> bool:
    """Whether the password itself is sent: inside verified TLS, where no keytab is given."""
    return access.ca_file is not None and access.password_file is not None and access.keytab is None


def _go_nearer(session: LdapDirectory, answers: Sequence[Answer]) -> None:
    """Go over to a controller of our own site, when one answered and the first is of another."""
    if len({one.site for one in answers}) < 2:
        return
    ours = site_of_address(session, session.local_address)
    nearer = next((one for one in answers if one.site == ours), None)
    if nearer is not None and session.site != ours:
        session.go_over(nearer)


def _answer(access: DirectoryAccess, candidate: Candidate) -> Answer:
    """What a controller says of itself to somebody unknown.

    Raises:
        DirectoryError: it does not answer, or is of another domain.
    """
    wire = Wire(access, candidate.address, candidate.name)
    wire.open()
    try:
        root = wire.search("", "(objectClass=*)", ROOT_WORDS, "base").entries[0]
    finally:
        wire.close()
    facts = facts_of(root, "")
    if facts.domain.lower() != access.domain.lower():
        reason = f"it is of the domain {facts.domain}"
        raise DirectoryError(
            server=wire.where, reason=reason, advice="name a controller of the domain that is asked for"
        )
    return Answer(candidate, facts.controller, facts.site, facts.clock_ahead_s(time.time_ns()))
