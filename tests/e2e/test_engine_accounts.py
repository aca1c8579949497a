"""Log-in by operating-system account: the machine's own PAM, user database and TLS, with users that exist in a private /etc only."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
from pathlib import Path

import pexpect
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
SERVICE = Path(__file__).parents[2] / "scripts" / "host" / "dtam.pam"
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
        with pytest.raises(AnswerRefused, match="too many failed log-ins"):
            ada.server()  # else whoever shares the address could guess ada's password as fast as it can ask
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
    assert "dtam.pam" in told.hint
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


class Administrator:
    """Somebody at a machine with dtam, and what lies in their state directory."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.env = {**os.environ, "DTAM_HOME": str(home), "TERM": "dumb", "COLUMNS": "160"}

    def words(self, *words: str) -> list[str]:
        return ["-m", "orchestrator.cli.dtam", *words]

    def dtam(self, *words: str, code: int = 0) -> str:
        command = [sys.executable, *self.words(*words)]
        done = subprocess.run(
            command, env=self.env, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def kept(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.home.rglob("*") if path.is_file())


def place_of(engine) -> list[str]:
    with engine.local() as client:
        pinned = client.server().fingerprint
    return ["--address", engine.address, "--port", str(engine.ports["control_port"]), "--fingerprint", pinned]


@pytest.mark.covers("AM-02", "ENG-SEC-01")
def test_dtam_asks_for_the_password_keeps_it_sealed_and_forgets_it_on_request(guarded, tmp_path):
    alpha, person = guarded(), Administrator(tmp_path / "home")
    password = PASSWORDS["ada"]
    adding = pexpect.spawn(
        sys.executable,
        person.words("hosts", "add", "alpha", *place_of(alpha), "--user", "ada"),
        env=person.env,
        encoding="utf-8",
        timeout=120,
    )
    adding.expect("Password of ada: ")
    shown = Path(f"/proc/{adding.pid}/cmdline").read_bytes()
    adding.sendline(password)
    adding.expect(pexpect.EOF)
    adding.close()
    assert (adding.exitstatus, "alpha is known" in adding.before) == (0, True), adding.before
    told = adding.before + person.dtam("hosts", "test", "alpha", "--json") + person.dtam("credentials", "list")
    assert "ada" in told
    assert password not in told
    assert password.encode() not in person.kept() + shown
    person.dtam("credentials", "clear", "ada")
    assert "none is remembered for alpha" in person.dtam("hosts", "test", "alpha", code=1)
    assert not (person.home / "credentials.key").exists()


@pytest.mark.covers("AM-02")
def test_a_password_that_is_wrong_or_badly_kept_is_not_remembered(guarded, tmp_path):
    hurried = tmp_path / "pam-service"
    hurried.write_text(HURRIED)
    alpha, person = guarded(hurried), Administrator(tmp_path / "home")
    file = tmp_path / "password"
    file.write_text("Wrong-7\n")
    file.chmod(0o640)
    add = ["hosts", "add", "alpha", *place_of(alpha), "--password-file", str(file)]
    assert "others can read" in person.dtam(*add, "--user", "ada", code=8)
    file.chmod(0o600)
    told = person.dtam(*add, "--user", "ada", code=91)
    assert "ada: the name or the password is wrong" in told
    assert "Wrong-7" not in told
    assert '"credentials": []' in person.dtam("credentials", "list", "--json")
    assert b"Wrong-7" not in person.kept()
