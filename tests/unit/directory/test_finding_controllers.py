"""The first that answers is taken, dead ones cost nothing, one of our own site goes before others; without gssapi it is said."""

from __future__ import annotations

import sys
import threading

import pytest

from orchestrator.directory.errors import AccessInvalid, ControllerUnreachable, CredentialsRefused
from orchestrator.directory.locating import Answer, Candidate, candidates, default_domain, first_answers
from orchestrator.directory.opening import _go_nearer, uses_simple_bind
from orchestrator.directory.port import DirectoryAccess
from orchestrator.directory.rootdse import site_of_address
from orchestrator.directory.tickets import ticket_cache
from tests.doubles.directory import CONFIG, MemoryDirectory

ACCESS = DirectoryAccess("lab.example", ("192.0.2.1", "192.0.2.2"), timeout_s=30)
ONE, TWO = Candidate("192.0.2.1"), Candidate("192.0.2.2")


def answer(candidate, site="Default"):
    return Answer(candidate, f"dc-{candidate.address}", site)


def test_addresses_need_no_lookup():
    assert candidates(ACCESS) == (ONE, TWO)


def test_a_dead_controller_holds_nothing_up():
    never = threading.Event()

    def ask(candidate):
        if candidate == ONE:
            never.wait()
        return answer(candidate)

    assert first_answers(ACCESS, (ONE, TWO), ask) == (answer(TWO),)
    never.set()


def test_when_all_refuse_the_last_reason_is_told():
    def ask(candidate):
        raise CredentialsRefused(principal="x", reason=candidate.address, advice="y")

    with pytest.raises(CredentialsRefused, match=r"192\.0\.2\.1"):
        first_answers(ACCESS, (ONE,), ask)


def test_silence_of_all_ends_in_time():
    never = threading.Event()
    with pytest.raises(ControllerUnreachable, match="no answer"):
        first_answers(DirectoryAccess("lab.example", timeout_s=0.05), (ONE, TWO), lambda _: never.wait())
    never.set()


@pytest.fixture
def sites():
    directory = MemoryDirectory()
    subnets = f"CN=Subnets,CN=Sites,{CONFIG}"
    directory.add(subnets, {"objectClass": ["subnetContainer"]})
    for net, site in (("10.0.0.0/8", "World"), ("10.1.0.0/16", "Paris"), ("2001:db8::/32", "Six")):
        dn = f"CN={net},{subnets}"
        directory.add(dn, {"cn": [net], "siteObject": [f"CN={site},CN=Sites,{CONFIG}"]})
    return directory


@pytest.mark.parametrize(
    ("address", "site"), [("10.1.2.3", "Paris"), ("10.2.0.1", "World"), ("192.0.2.9", None), ("2001:db8::7", "Six")]
)
def test_the_narrowest_subnet_says_the_site(sites, address, site):
    assert site_of_address(sites, address) == site


class Session:
    """What ``_go_nearer`` sees of a session."""

    local_address = "10.1.2.3"

    def __init__(self, sites, site) -> None:
        self.site, self._sites, self.gone_to = site, sites, None

    def __getattr__(self, name) -> object:
        return getattr(self._sites, name)

    def go_over(self, one):
        self.gone_to = one


def test_a_controller_of_our_own_site_goes_before_others(sites):
    away, near = answer(ONE, "World"), answer(TWO, "Paris")
    first_away, first_near, alone = Session(sites, "World"), Session(sites, "Paris"), Session(sites, "World")
    _go_nearer(first_away, (away, near))
    _go_nearer(first_near, (near, away))
    _go_nearer(alone, (away,))
    assert (first_away.gone_to, first_near.gone_to, alone.gone_to) == (near, None, None)


def test_a_password_is_sent_inside_verified_tls_only(tmp_path):
    one = tmp_path / "file"
    assert uses_simple_bind(DirectoryAccess("lab.example", ca_file=one, password_file=one))
    assert not uses_simple_bind(DirectoryAccess("lab.example", password_file=one))
    assert not uses_simple_bind(DirectoryAccess("lab.example", ca_file=one, password_file=one, keytab=one))


def test_without_gssapi_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "orchestrator.directory.gss", None)
    with pytest.raises(AccessInvalid, match="gssapi") as caught, ticket_cache(ACCESS):
        pass
    assert "dtam[kerberos]" in caught.value.hint


def test_the_machines_own_domain_has_two_labels_or_is_none():
    assert "." in (default_domain() or "a.b")
