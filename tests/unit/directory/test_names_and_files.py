"""Names are escaped and taken apart, secret files are tight, settings of Kerberos are written, an access travels as JSON."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.directory.errors import AccessInvalid, DomainInvalid, SecretUnusable
from orchestrator.directory.filters import dn_value, domain_of, filter_text, parent_of, site_of
from orchestrator.directory.locating import candidates, checked_domain
from orchestrator.directory.mended_filters import as_sent
from orchestrator.directory.port import DirectoryAccess, Entry
from orchestrator.directory.realms import known_realm, settings_text
from orchestrator.directory.secret_files import read_password, usable_keytab


@given(st.binary())
def test_a_filter_value_arrives_as_it_was(value):
    text = filter_text(value)
    assert not set("*()\0") & set(text)
    assert as_sent(text) == value


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1))
def test_a_dn_part_is_one_part(value):
    assert parent_of(f"CN={dn_value(value)},DC=lab,DC=example") == "DC=lab,DC=example"


def test_names_are_taken_apart():
    assert domain_of("DC=lab,DC=example") == "lab.example"
    assert site_of("CN=DC1,CN=Servers,CN=Paris\\, Nord,CN=Sites,CN=Configuration,DC=lab") == "Paris, Nord"
    assert site_of("CN=DC1,DC=lab") == ""


@pytest.mark.covers("AM-02")
@pytest.mark.parametrize("domain", ["lab", "lab.", "", "a b.example", "-a.example", "x" * 64 + ".example"])
def test_a_domain_of_one_label_or_none_is_refused_before_anybody_is_asked(domain):
    with pytest.raises(DomainInvalid):
        candidates(DirectoryAccess(domain, dns_servers=("192.0.2.1",)))


def test_a_last_dot_is_taken_away():
    assert checked_domain("lab.example.") == "lab.example"


def test_a_password_is_the_first_line_of_a_tight_file(tmp_path):
    path = tmp_path / "password"
    path.write_text("se cret \r\nsecond\n")
    path.chmod(0o640)
    with pytest.raises(SecretUnusable, match="0640"):
        read_password(path)
    path.chmod(0o600)
    assert read_password(path) == b"se cret "
    path.write_text("\n")
    with pytest.raises(SecretUnusable, match="empty"):
        read_password(path)
    with pytest.raises(SecretUnusable, match="No such file"):
        read_password(tmp_path / "absent")


def test_a_keytab_is_told_from_another_file(tmp_path):
    path = tmp_path / "keytab"
    path.write_bytes(b"\x05\x02rest")
    path.chmod(0o600)
    assert usable_keytab(path) == path
    path.write_text("no")
    with pytest.raises(SecretUnusable, match="not a keytab"):
        usable_keytab(path)


def test_an_access_travels_as_json():
    access = DirectoryAccess("lab.example", ("dc1",), "BETA$", keytab=Path("/etc/krb5.keytab"), timeout_s=3.0)
    assert DirectoryAccess.from_document(json.loads(json.dumps(access.to_document()))) == access
    with pytest.raises(AccessInvalid, match="secret"):
        DirectoryAccess.from_document({"domain": "lab.example", "secret": "x"})
    with pytest.raises(AccessInvalid, match="no domain"):
        DirectoryAccess.from_document({"principal": "x"})
    for wrong in ({"domain": 5}, {"controllers": "dc1"}, {"dns_servers": [5]}, {"timeout_s": "10"}, {"keytab": ["x"]}):
        with pytest.raises(AccessInvalid, match=f"{next(iter(wrong))} holds what it should not"):
            DirectoryAccess.from_document({"domain": "lab.example", **wrong})


def test_an_entry_is_read_without_regard_to_case():
    entry = Entry("CN=a", {"dNSHostName": (b"a.example",), "objectSid": (b"\xff",)})
    assert entry.first("dnshostname") == "a.example"
    assert entry.values("OBJECTSID") == (b"\xff",)
    assert entry.first("mail") is None


def test_kerberos_is_told_its_realms_while_they_are_in_use(monkeypatch):
    monkeypatch.setenv("KRB5_CONFIG", "/somewhere")
    with known_realm("A.EXAMPLE", ["192.0.2.1", "2001:db8::1"]), known_realm("B.EXAMPLE", []):
        ours, _, others = os.environ["KRB5_CONFIG"].partition(":")
        assert others == "/somewhere"
        text = Path(ours).read_text()
        assert "kdc = 192.0.2.1\n" in text
        assert "kdc = [2001:db8::1]\n" in text
        assert ".b.example = B.EXAMPLE" in text
    assert os.environ["KRB5_CONFIG"] == "/somewhere"
    assert not Path(ours).parent.exists()


def test_a_realm_is_written_once_with_all_its_kdcs():
    text = settings_text([("A", ["1.1.1.1"]), ("A", ["1.1.1.1", "1.1.1.2"])])
    assert text.count("A = {") == 1
    assert text.count(" kdc = ") == 2
