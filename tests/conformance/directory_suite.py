"""What every ``Directory`` must do. Inherit from ``DirectoryConformance`` and give a fixture ``asked``.

``asked(deed)`` runs ``deed(directory, place)`` where the directory can be reached; ``place`` is the DN of an empty container of
the domain that the test may fill. What a deed makes is removed by whoever gives the fixture.
"""

from __future__ import annotations

import pytest

from orchestrator.directory.errors import AccountMissing, EntryMissing, SpnNotUnique, ValueChanged
from orchestrator.directory.filters import dn_value, filter_text
from orchestrator.directory.port import Add, Delete, Directory, Replace
from orchestrator.directory.security import Ace, Kind, Part, Right

NOBODY = "S-1-5-21-1-2-3-4321"
SPN = "servicePrincipalName"


def computer(directory: Directory, place: str, name: str, **more: list[str]) -> str:
    """Make a computer's account; its DN."""
    dn = f"CN={dn_value(name)},{place}"
    wanted = {"objectClass": ["computer"], "sAMAccountName": [f"{name}$"], "userAccountControl": ["4096"]}
    directory.add(dn, wanted | more)
    return dn


def contact(directory: Directory, place: str, name: str, **more: list[str]) -> str:
    """Make an object of the simplest kind; its DN."""
    dn = f"CN={dn_value(name)},{place}"
    directory.add(dn, {"objectClass": ["contact"], "cn": [name]} | more)
    return dn


class DirectoryConformance:
    def test_it_knows_its_domain(self, asked):
        def deed(directory, place):
            facts = directory.facts()
            assert facts.base_dn.lower() == ",".join(f"dc={part}" for part in facts.domain.split("."))
            assert facts.config_dn.endswith(facts.base_dn)
            assert facts.schema_dn.endswith(facts.config_dn)
            assert facts.forest_root == facts.domain
            assert facts.netbios == "LAB"
            assert facts.controller == directory.server
            assert facts.base_dn in facts.contexts
            assert directory.server in [one.name for one in directory.controllers()]

        asked(deed)

    def test_a_catalog_knows_the_service_names_of_the_forest(self, asked):
        def deed(directory, place):
            assert directory.facts().domain in directory.domains()
            dn = computer(directory, place, "known", servicePrincipalName=["cifs/known.elsewhere"])
            found = directory.find_in_forest("(servicePrincipalName=CIFS/known.elsewhere)", ["sAMAccountName", SPN])
            assert [(one.dn.lower(), one.first("sAMAccountName")) for one in found] == [(dn.lower(), "known$")]

        asked(deed)

    def test_an_object_is_made_read_and_removed(self, asked):
        def deed(directory, place):
            before = directory.facts().highest_usn
            dn = contact(directory, place, "Ada, the first", description=["äöü", "two"])
            found = directory.read(dn, ["DESCRIPTION", "cn", "mail"])
            assert set(found.text("description")) == {"äöü", "two"}
            assert found.first("CN") == "Ada, the first"
            assert found.first("mail") is None
            assert directory.facts().highest_usn > before
            with pytest.raises(ValueChanged):
                contact(directory, place, "Ada, the first")
            directory.remove(dn)
            assert directory.read(dn, ["cn"]) is None
            with pytest.raises(EntryMissing):
                directory.remove(dn)
            with pytest.raises(EntryMissing):
                directory.change(dn, [Replace("mail", ("a@b",))])

        asked(deed)

    def test_a_change_is_made_whole_or_not_at_all(self, asked):
        def deed(directory, place):
            dn = contact(directory, place, "one", description=["kept"], telephoneNumber=["1"])
            with pytest.raises(ValueChanged) as caught:
                directory.change(dn, [Replace("telephoneNumber", ("2",)), Delete("description", ("stale",))])
            assert "description" in str(caught.value)
            assert dn in str(caught.value)
            found = directory.read(dn, ["*"])
            assert (found.text("description"), found.text("telephoneNumber")) == (("kept",), ("1",))

        asked(deed)

    def test_a_value_is_changed_only_as_it_was_read(self, asked):
        def deed(directory, place):
            dn = contact(directory, place, "two", url=["http://a"])
            directory.change(dn, [Delete("url", ("http://a",)), Add("url", ("http://b",))])
            with pytest.raises(ValueChanged):
                directory.change(dn, [Delete("url", ("http://a",)), Add("url", ("http://c",))])
            with pytest.raises(ValueChanged):
                directory.change(dn, [Add("url", ("http://b",))])
            assert directory.read(dn, ["url"]).text("url") == ("http://b",)
            directory.change(dn, [Replace("url")])
            assert directory.read(dn, ["url"]).text("url") == ()

        asked(deed)

    def test_a_principal_name_has_one_owner(self, asked):
        def deed(directory, place):
            one, two = (computer(directory, place, name) for name in ("CONF-ONE", "CONF-TWO"))
            spn = "cifs/conformance.lab.example"
            directory.change(one, [Add(SPN, (spn,))])
            with pytest.raises(SpnNotUnique, match=spn):
                directory.change(two, [Add(SPN, (spn,))])
            directory.change(one, [Delete(SPN, (spn,))])
            directory.change(two, [Add(SPN, (spn,))])
            assert [directory.read(dn, [SPN]).text(SPN) for dn in (one, two)] == [(), (spn,)]

        asked(deed)

    def test_a_computer_is_found_by_each_of_its_names(self, asked):
        def deed(directory, place):
            dn = computer(directory, place, "CONF-ALPHA", dNSHostName=["conf-alpha.lab.example"])
            for name in ("conf-alpha", "CONF-ALPHA$", "Conf-Alpha.lab.example", "conf-alpha.lab.example."):
                assert directory.computer(name).dn == dn
            with pytest.raises(AccountMissing, match="conf-nobody"):
                directory.computer("conf-nobody")

        asked(deed)

    def test_any_account_is_found_by_its_name(self, asked):
        def deed(directory, place):
            service = f"CN=conf-sql,{place}"
            directory.add(service, {"objectClass": ["user"], "sAMAccountName": ["conf-sql"]})
            dn = computer(directory, place, "CONF-BETA", dNSHostName=["conf-beta.lab.example"])
            assert directory.account("conf-sql").dn == service
            assert {directory.account(name).dn for name in ("CONF-BETA$", "conf-beta.lab.example")} == {dn}
            with pytest.raises(AccountMissing, match="conf-nobody"):
                directory.account("conf-nobody")

        asked(deed)

    def test_a_search_finds_what_the_filter_says_and_nothing_else(self, asked):
        def deed(directory, place):
            odd = "a*b (c) \\ d"
            contact(directory, place, "odd", description=[odd])
            contact(directory, place, "other", description=["axb (c) \\ d"])
            found = list(directory.find(place, f"(description={filter_text(odd)})", ["cn"]))
            assert [one.first("cn") for one in found] == ["odd"]
            both = "(&(objectClass=contact)(|(cn=odd)(cn=oth*))(!(cn=third)))"
            assert sorted(one.first("cn") for one in directory.find(place, both, ["cn"], "level")) == ["odd", "other"]
            assert [one.dn for one in directory.find(place, "(objectClass=*)", ["cn"], "base")] == [place]
            with pytest.raises(EntryMissing):
                list(directory.find(f"OU=gone,{place}", "(objectClass=*)", ["cn"]))

        asked(deed)

    def test_a_denial_comes_and_goes_and_the_rest_stays(self, asked):
        def deed(directory, place):
            dn = contact(directory, place, "locked")
            before = directory.security(dn)
            denial = Ace(Kind.DENY, 0, Right.WRITE_PROPERTY | Right.SELF_WRITE, NOBODY)
            directory.set_security(dn, before.with_ace(denial), Part.DACL)
            locked = directory.security(dn)
            assert locked.dacl.aces[0] == denial
            assert locked.owner == before.owner
            directory.set_security(dn, locked.without_ace(denial), Part.DACL)
            assert directory.security(dn) == before
            with pytest.raises(EntryMissing):
                directory.security(f"CN=gone,{place}")

        asked(deed)

    def test_each_controller_says_whether_it_shows_a_value(self, asked):
        def deed(directory, place):
            dn = contact(directory, place, "shown", description=["now"])
            seen, gone = (dict(directory.shown_by(dn, "description", wanted)) for wanted in (["now"], []))
            assert seen.keys() == gone.keys() == {one.name for one in directory.controllers()}
            assert seen[directory.server] is True
            assert gone[directory.server] is False
            assert dict(directory.shown_by(f"CN=gone,{place}", "description", []))[directory.server] is True

        asked(deed)
