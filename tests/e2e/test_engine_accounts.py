"""Log-in by operating-system account: the machine's own PAM, user database and TLS, with users that exist in a private /etc only."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest
import urllib3

from orchestrator.engine.client import AnswerRefused, schema
from orchestrator.engine.client_login import by_password

PRIVATE_ETC = """
set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$1/upper,workdir=$1/work" /etc
groupadd -f dtadmin; groupadd -f dtmon
for user in ada bo cy; do useradd -M "$user"; done
gpasswd -a ada dtadmin >/dev/null; gpasswd -a bo dtmon >/dev/null
useradd -M -e 2001-01-01 old; gpasswd -a old dtadmin >/dev/null
chpasswd <"$2"
[ "$3" = absent ] || cp "$3" /etc/pam.d/dtam
shift 3
exec "$@"
"""
PASSWORDS = {"ada": "Ring-a-ding ☎ :1", "bo": "b" * 100, "cy": "third", "old": "late"}
SERVICE = Path(__file__).parents[2] / "packaging" / "pam" / "dtam"
HURRIED = "auth required pam_unix.so nodelay\naccount required pam_unix.so\n"
UNKNOWN = (401, "Unauthorised")
KNOWN = (403, "Forbidden")


@pytest.fixture
def guarded(engines, needs, tmp_path):
    """Starts an engine whose /etc has users ada (dtadmin), bo (dtmon), cy (neither) and old (expired)."""

    def start(service: Path | str = SERVICE):
        needs("root")
        place, secrets = tmp_path / "private", tmp_path / "passwords"
        place.mkdir()
        secrets.touch(mode=0o600)
        secrets.write_text("".join(f"{name}:{password}\n" for name, password in PASSWORDS.items()))
        engine = engines.make("alpha", start=False)
        engine.enter = ["unshare", "-m", "sh", "-c", PRIVATE_ETC, "private-etc", str(place), str(secrets), str(service)]
        return engine.start()

    return start


def inside(engine, *command: str) -> None:
    subprocess.run(["nsenter", "-t", str(engine.process.pid), "-m", *command], check=True, capture_output=True)


def refused(engine, name: str, password: str) -> AnswerRefused:
    with engine.remote(login=by_password(name, password)) as client, pytest.raises(AnswerRefused) as told:
        client.server()
    assert password not in f"{told.value} {told.value.hint}"
    return told.value


@pytest.mark.covers("ENG-SEC-01")
def test_dtadmin_acts_dtmon_looks_others_get_nothing(guarded):
    alpha = guarded()
    with alpha.remote(login=by_password("ada", PASSWORDS["ada"])) as ada:
        assert ada.server().name == "alpha"
        ada.create_token("made-by-ada")
    with alpha.remote(login=by_password("bo", PASSWORDS["bo"])) as bo:
        assert [one.name for one in bo.tokens()] == ["made-by-ada"]
        with pytest.raises(AnswerRefused, match="account bo may look, not act") as told:
            bo.revoke_token("made-by-ada")
        assert (told.value.status, told.value.error) == KNOWN
    nobody = refused(alpha, "cy", PASSWORDS["cy"])
    assert (nobody.status, nobody.error) == KNOWN
    assert "cy is in neither group on this host: dtadmin (may act) or dtmon (may look)" in str(nobody)
    expired = refused(alpha, "old", PASSWORDS["old"])
    assert (expired.status, "old: the account may not be used now" in str(expired)) == (401, True)
    with alpha.local() as client:
        asked = [event.sentence for event in client.events() if event.kind == "asked"]
    assert "account ada asked POST /v1/tokens" in asked


@pytest.mark.covers("ENG-SEC-01")
def test_wrong_passwords_are_told_slowed_limited_and_never_written(guarded, tmp_path):
    hurried = tmp_path / "pam-service"
    hurried.write_text(HURRIED)
    alpha = guarded(hurried)
    for guess in ("Wrong-1", "Wrong-2"):
        told = refused(alpha, "ada", guess)
        assert ((told.status, told.error), str(told)) == (
            UNKNOWN,
            "not allowed: ada: the name or the password is wrong",
        )
    assert str(refused(alpha, "nobody-here", "Wrong-3")).endswith("nobody-here: the name or the password is wrong")
    with alpha.remote(login=by_password("ada", PASSWORDS["ada"])) as ada:
        assert ada.server().name == "alpha"
        for guess in ("Wrong-4", "Wrong-5"):
            refused(alpha, "bo", guess)
        held_up = refused(alpha, "bo", "Wrong-6")
        assert (held_up.status, "too many failed log-ins from 127.0.0." in str(held_up)) == (429, True)
        assert ada.server().name == "alpha", "who was right before is not held up"
    with alpha.local() as client:
        sentences = [event.sentence for event in client.events() if event.kind == "refused"]
    assert sum("ada: the name or the password is wrong" in one for one in sentences) == 2
    everything = alpha.log.read_bytes() + b"".join(f.read_bytes() for f in alpha.state.rglob("*") if f.is_file())
    for secret in ("Wrong-", *PASSWORDS.values()):
        assert secret.encode() not in everything


@pytest.mark.covers("ENG-SEC-01")
@pytest.mark.parametrize(
    ("name", "password", "why"),
    [
        ("a" * 101, "x", "the account's name is longer than 100 characters"),
        ("D" * 101 + "\\ada", "x", "the account's domain is longer than 100 characters"),
        ("ada", "x" * 101, "the password is longer than 100 characters"),
        ("", "x", "no account is named"),
        ("ada", "a\0b", "hold no password"),
    ],
)
def test_what_is_too_long_or_malformed_never_reaches_pam(guarded_once, name, password, why):
    told = refused(guarded_once, name, password)
    assert (told.status, why in str(told)) == (401, True)


@pytest.fixture(scope="module")
def guarded_once(module_engines):
    """An engine on which nobody has an account: what is malformed is refused before anything is looked up."""
    return module_engines.make("gamma", "127.0.0.3")


def test_a_refusal_names_the_ways_in(guarded_once):
    pool = urllib3.HTTPSConnectionPool(guarded_once.address, guarded_once.ports["control_port"], cert_reqs="CERT_NONE")
    with pool, pytest.warns(urllib3.exceptions.InsecureRequestWarning):
        answer = pool.request("GET", "/v1/server", headers={"Authorization": "Basic !"}, retries=False)
    ways = answer.headers.getlist("WWW-Authenticate")
    assert (answer.status, [way.partition(" ")[0] for way in ways]) == (401, ["Negotiate", "Basic", "Bearer"])
    assert base64.b64encode(b"!") not in answer.data


def test_without_the_pam_service_nobody_logs_in_by_password(guarded):
    alpha = guarded("absent")
    told = refused(alpha, "ada", PASSWORDS["ada"])
    assert (told.status, "there is no /etc/pam.d/dtam" in str(told)) == (401, True)
    assert "packaging/pam/dtam" in told.hint
    with alpha.local() as client:
        secret = client.create_token("boss", schema.Scope.ADMIN).token
    with alpha.remote(token=secret) as client:
        assert client.server().name == "alpha"


def test_membership_given_later_counts_at_the_next_check(guarded):
    alpha = guarded()
    assert refused(alpha, "cy", PASSWORDS["cy"]).status == 403
    inside(alpha, "gpasswd", "-a", "cy", "dtmon")
    with alpha.remote(login=by_password("cy", PASSWORDS["cy"])) as client:
        assert client.server().name == "alpha"
