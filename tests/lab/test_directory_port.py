"""The directory over LDAP keeps the contract, against a real domain."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import DirectoryAccess
from tests.conformance.directory_suite import DirectoryConformance
from tests.lab.domain import Lab


def access_of(lab: Lab, **more: Any) -> DirectoryAccess:
    """As Administrator, by password, with Kerberos."""
    return DirectoryAccess(lab.domain, principal="Administrator", password_file=lab.admin_password_file, **more)


def in_a_place_of_its_own(access, deed):
    """Run a deed in a new container, and take away what it made."""
    with open_directory(access) as directory:
        place = f"OU=conformance,{directory.facts().base_dn}"
        directory.add(place, {"objectClass": ["organizationalUnit"]})
        try:
            return deed(directory, place)
        finally:
            for dn in sorted(
                (one.dn for one in directory.find(place, "(objectClass=*)", ["cn"])), key=len, reverse=True
            ):
                directory.remove(dn)


class TestLdapDirectory(DirectoryConformance):
    @pytest.fixture
    def asked(self, lab):
        return lambda deed: lab.host("client").call(in_a_place_of_its_own, access_of(lab), deed)
