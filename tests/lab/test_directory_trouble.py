"""Getting into a real domain: each way in, and each thing that keeps one out in one clear line. Nothing secret is left or shown."""

from __future__ import annotations

import json
import os
import socket
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import Replace
from orchestrator.directory.tickets import ticket_cache
from orchestrator.errors import DtamError
from tests.lab.clock import clock_off
from tests.lab.test_directory_port import access_of
from tests.lab.waiting import until

NEW_DESCRIPTION = "a sentence that must not be seen on the wire"


def who_answers(access):
    with open_directory(access) as directory:
        return directory.server


def attempt(access, deed=None):
    """The kind of error, its line and its hint; or what the deed gave."""
    try:
        with open_directory(access) as directory:
            return "done", str(deed(directory) if deed else directory.server), ""
    except DtamError as error:
        return type(error).__name__, str(error), error.hint


def tried(lab, access, deed=None, host="client"):
    return lab.host(host).call(attempt, access, deed)


@pytest.fixture
def admin(lab):
    return access_of(lab)


@pytest.fixture
def ca_file(lab):
    """The certificate of the lab's authority, on the client."""
    lab.host("client").write(lab.ca_file, lab.host("dc1").path(lab.ca_file).read_text())
    return lab.ca_file


@pytest.fixture
def reader(lab):
    return replace(access_of(lab), principal="reader", password_file=lab.user_password_file)


@pytest.mark.covers("AM-02")
def test_each_way_of_naming_oneself_leads_in(lab, admin, ca_file):
    keytab = replace(admin, password_file=None, keytab=lab.keytab("reader"))
    ways = [replace(admin, principal=one) for one in (r"LAB\Administrator", "Administrator@lab.example")]
    ways += [replace(keytab, principal=one) for one in ("reader", r"LAB\reader", "reader@LAB.EXAMPLE")]
    ways += [replace(admin, controllers=one) for one in (("dc1",), (lab.host("dc1").address,))]
    ways += [replace(admin, ca_file=ca_file)]
    leads_in = [("done", f"{one}.lab.example", "") for one in ("dc1", "dc2")]  # dc2, where an earlier test asked for it
    for way in ways:
        assert tried(lab, way) in leads_in
    own = replace(keytab, principal="ALPHA$", keytab=lab.keytab("ALPHA$"))
    assert tried(lab, own, host="alpha") in leads_in


@pytest.mark.covers("AM-02")
def test_wrong_credentials_are_told_apart(lab, admin, reader, ca_file):
    lab.host("client").write("/etc/lab/wrong.password", "wrong\n", 0o600)
    wrong = Path("/etc/lab/wrong.password")
    kind, line, hint = tried(lab, replace(admin, password_file=wrong))
    assert kind == "CredentialsRefused"
    assert "Administrator@LAB.EXAMPLE" in line
    assert "password" in hint
    assert tried(lab, replace(admin, password_file=wrong, ca_file=ca_file))[0] == "CredentialsRefused"
    assert tried(lab, replace(admin, principal="nobody"))[:2] == (
        "AccountMissing",
        "the domain lab.example has no account nobody@LAB.EXAMPLE",
    )
    other_key = replace(admin, password_file=None, keytab=lab.keytab("reader"))
    assert tried(lab, other_key)[0] == "CredentialsRefused"
    assert tried(lab, replace(reader, domain="lab"))[0] == "DomainInvalid"
    nothing = tried(lab, replace(admin, principal=None, password_file=None))
    assert nothing[0] == "CredentialsRefused"
    assert "kinit" in nothing[2]


def test_an_expired_ticket_is_called_that(lab, admin):
    client, cache = lab.host("client"), {"KRB5CCNAME": "FILE:/run/short.ticket"}
    client.run(["kinit", "-l", "1s", "reader"], input=lab.user_password + "\n", env=cache)
    until("the ticket has expired", lambda: client.run(["klist", "-s"], env=cache, check=False).returncode)
    shown = client.run(["dtam", "domain", "show", "--domain", "lab.example"], env=cache, check=False)
    assert shown.returncode == 103
    assert "has expired" in shown.stderr
    assert "kinit" in shown.stderr


def test_a_clock_ten_minutes_off_is_measured_and_told(lab):
    client = lab.host("client")
    argv = ["dtam", "domain", "show", "--domain", "lab.example", "--principal", "reader", "--json"]
    argv += ["--password-file", lab.user_password_file]
    right = json.loads(client.run(argv).stdout)
    assert abs(right["clock_ahead_s"]) < 60
    assert right["forest"] == "lab.example"
    assert "dc1.lab.example" in [one["name"] for one in right["controllers"]]
    done = client.run(argv, env=clock_off(client, 600), check=False)
    assert done.returncode == 104
    error = json.loads(done.stdout.splitlines()[-1])["error"]
    behind_s = int(error["message"].partition("the domain's is ")[2].partition(" s behind")[0])
    assert 500 < behind_s < 660
    assert "set this machine's clock" in error["hint"]


def change_description(directory):
    directory.change(directory.computer("alpha").dn, [Replace("description", (NEW_DESCRIPTION,))])


def test_a_missing_right_names_the_object_and_the_attribute(lab, reader):
    kind, line, hint = tried(lab, reader, change_description)
    assert kind == "RightMissing"
    assert "description of CN=ALPHA,CN=Computers,DC=lab,DC=example" in line
    assert "reader@LAB.EXAMPLE" in line
    assert "dtam rights" in hint


def test_a_certificate_of_another_authority_is_refused(lab, admin):
    other = "/etc/lab/other.pem"
    argv = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-subj",
        "/CN=other",
    ]
    lab.host("client").run([*argv, "-keyout", "/dev/null", "-out", other])
    kind, line, _ = tried(lab, replace(admin, ca_file=Path(other)))
    assert kind == "CertificateRefused"
    assert "issuer" in line


def test_silence_is_told_with_the_domain(lab, admin):
    nowhere = replace(admin, controllers=("10.53.0.250",), timeout_s=1.0)
    kind, line, hint = tried(lab, nowhere)
    assert kind == "ControllerUnreachable"
    assert "lab.example" in line
    assert "389" in hint
    assert tried(lab, replace(admin, controllers=("10.53.0.250", "dc1")))[:2] == ("done", "dc1.lab.example")


def sent_while_writing(access):
    """All bytes that left this process while a description was written, and the arguments of this process."""
    sent = bytearray()
    sendall, send = socket.socket.sendall, socket.socket.send
    socket.socket.sendall = lambda self, data, *more: (sent.extend(data), sendall(self, data, *more))[1]
    socket.socket.send = lambda self, data, *more: (sent.extend(data), send(self, data, *more))[1]
    with open_directory(access) as directory:
        before = directory.computer("beta")
        directory.change(before.dn, [Replace("description", (NEW_DESCRIPTION,))])
        assert directory.computer("beta").first("description") == NEW_DESCRIPTION
        directory.change(before.dn, [Replace("description", before.values("description"))])
    return bytes(sent)


def test_what_is_written_travels_sealed(lab, admin):
    sent = lab.host("client").call(sent_while_writing, admin)
    assert len(sent) > 1000
    assert NEW_DESCRIPTION.encode() not in sent


def cache_in_use(access):
    """Mode of the cache and of its directory, who is in it, and whether it is gone afterwards."""
    with ticket_cache(access) as tickets:
        path = tickets.cache
        modes = path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777
        listed = subprocess.run(["klist", "-c", str(path)], capture_output=True, text=True, check=True).stdout
        left_s = tickets.seconds_left()
        tickets.acquire()
    return modes, listed, left_s, path.parent.exists(), os.environ.get("KRB5_CONFIG")


def test_tickets_are_kept_in_a_cache_that_nobody_else_reads_and_that_goes(lab, reader):
    for way in (reader, replace(reader, password_file=None, keytab=lab.keytab("reader"))):
        modes, listed, left_s, remains, setting = lab.host("client").call(cache_in_use, way)
        assert modes == (0o600, 0o700)
        assert "krbtgt/LAB.EXAMPLE@LAB.EXAMPLE" in listed
        assert left_s > 600
        assert not remains
        assert setting is None
