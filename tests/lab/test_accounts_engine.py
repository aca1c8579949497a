"""Log-in at an engine with the domain's own accounts: Kerberos tickets by Negotiate, passwords by PAM and winbind."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.client import AnswerRefused, EngineClient
from orchestrator.engine.client_login import KerberosLogin, Login, by_password
from orchestrator.engine.control.errors import TicketMissing
from orchestrator.engine.control.keytabs import look
from tests.lab.domain import Lab
from tests.lab.hosts import LabHost

STATE = "/run/dtam-accounts"
PAM_SERVICE = Path(__file__).parents[2] / "scripts" / "host" / "dtam.pam"
PORTS = {"control": 6420, "data": 6421, "probe": 6422}
GROUPS = "is in neither group on this host: dtadmin (may act) or dtmon (may look)"


class Engine:
    """The engine of a lab host, as callers on other hosts know it."""

    def __init__(self, host: LabHost, fingerprint: str) -> None:
        self.host = host
        self.fingerprint = fingerprint

    def client(self, login: Login) -> EngineClient:
        return EngineClient.https(
            self.host.address, PORTS["control"], fingerprint=self.fingerprint, login=login, timeout_s=30
        )

    def by_ticket(self, **how: Any) -> KerberosLogin:
        return KerberosLogin(self.host.fqdn, self.fingerprint, **how)


@pytest.fixture(scope="module")
def engine(lab: Lab) -> Iterator[Engine]:
    """An engine on alpha with the PAM service as it is shipped."""
    alpha = lab.host("alpha")
    alpha.write("/etc/pam.d/dtam", PAM_SERVICE.read_text())
    flags = [f"--{name}-port={number}" for name, number in PORTS.items()]
    command = [
        sys.executable,
        "-m",
        "orchestrator.engine.cli.dtengine",
        "run",
        f"--state={STATE}",
        "--name=alpha",
        *flags,
    ]
    with alpha.path("/tmp").joinpath("accounts.log").open("wb") as log:
        process = alpha.popen(
            [*command, f"--address={alpha.address}"], stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        yield Engine(alpha, _fingerprint(alpha, process))
    finally:
        process.terminate()
        process.wait(30)


def _fingerprint(host: LabHost, process: subprocess.Popen[Any]) -> str:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        assert process.poll() is None, host.path("/tmp").joinpath("accounts.log").read_text()
        with contextlib.suppress(Exception):
            return host.call(_ask_fingerprint)
        time.sleep(0.05)
    raise AssertionError("the engine did not answer")


def _ask_fingerprint() -> str:
    with EngineClient.local(f"{STATE}/control.sock") as client:
        return client.server().fingerprint


def name_of(client: EngineClient) -> str:
    with client:
        return client.server().name


def act_and_look(client: EngineClient, token: str) -> list[str]:
    with client:
        client.create_token(token)
        return [one.name for one in client.tokens()]


def refusal(client: EngineClient) -> tuple[int, str]:
    with client:
        try:
            client.create_token("never")
        except AnswerRefused as error:
            return error.status, str(error)
    raise AssertionError("it was allowed")


def on(host: LabHost, env: Mapping[str, str], function: Any, *words: Any) -> Any:
    """Call it on a host as somebody with these variables."""

    def called() -> Any:
        os.environ.update(env)
        return function(*words)

    return host.call(called)


@pytest.mark.covers("ENG-SEC-01")
def test_a_ticket_logs_in_and_the_domains_groups_decide(lab: Lab, engine: Engine) -> None:
    client = lab.host("client")
    operator, watcher, writer = (lab.ticket("client", name) for name in ("operator", "watcher", "writer"))
    assert "by-operator" in on(client, operator, lambda: act_and_look(engine.client(engine.by_ticket()), "by-operator"))
    assert on(client, watcher, lambda: name_of(engine.client(engine.by_ticket()))) == "alpha"
    status, says = on(client, watcher, lambda: refusal(engine.client(engine.by_ticket())))
    assert (status, "may look, not act" in says) == (403, True)
    status, says = on(client, writer, lambda: refusal(engine.client(engine.by_ticket())))
    assert (status, GROUPS in says) == (403, True)


@pytest.mark.covers("ENG-SEC-01")
def test_a_keytab_serves_where_nobody_is_there_to_log_in(lab: Lab, engine: Engine) -> None:
    keytab = lab.keytab("operator")
    login = engine.by_ticket(principal=f"operator@{lab.realm}", keytab=keytab)
    assert (
        on(lab.host("client"), {"KRB5CCNAME": "FILE:/run/no-such-cache"}, lambda: name_of(engine.client(login)))
        == "alpha"
    )


@pytest.mark.covers("ENG-SEC-01")
@pytest.mark.parametrize("written", ["operator", "LAB\\operator", "operator@lab.example"])
def test_the_domains_passwords_log_in_in_every_spelling(lab: Lab, engine: Engine, written: str) -> None:
    login = by_password(written, lab.user_password)
    assert on(lab.host("client"), {}, lambda: name_of(engine.client(login))) == "alpha"


@pytest.mark.covers("ENG-SEC-02")
def test_a_ticket_bound_to_another_certificate_is_refused_and_none_counts_twice(lab: Lab, engine: Engine) -> None:
    client, ticket = lab.host("client"), lab.ticket("client", "operator")
    elsewhere = KerberosLogin(engine.host.fqdn, "ab" * 32)
    status, says = on(client, ticket, lambda: refusal(engine.client(elsewhere)))
    assert (status, "the Kerberos ticket was refused" in says) == (401, True)
    status, says = on(client, ticket, lambda: _replayed(engine))
    assert (status, "the Kerberos ticket was refused" in says) == (401, True)


def _replayed(engine: Engine) -> tuple[int, str]:
    """Send one ticket twice, as somebody who overheard it would."""
    beginning = engine.by_ticket().begin()

    class Overheard:
        single_use = True
        header = beginning.header

        def begin(self) -> Any:
            return self

        def finish(self, answered: str, where: str) -> None:
            beginning.finish(answered, where)

    with engine.client(Overheard()) as first:
        first.server()
    return refusal(engine.client(Overheard()))


@pytest.mark.covers("ENG-SEC-01", "AM-02")
def test_dtam_knows_a_server_by_ticket_and_keeps_no_password(lab: Lab, engine: Engine) -> None:
    client, home = lab.host("client"), "/run/dtam-accounts-home"
    env = {**lab.ticket("client", "operator"), "DTAM_HOME": home}
    dtam = [sys.executable, "-m", "orchestrator.cli.dtam", "hosts"]
    where = ["--address", engine.host.address, "--port", PORTS["control"], "--fingerprint", engine.fingerprint]
    client.run([*dtam, "add", "alpha", *where, "--kerberos", engine.host.fqdn], env=env)
    assert "engine alpha" in client.run([*dtam, "test", "alpha"], env=env).stdout
    assert not client.path(home).joinpath("credentials.json").exists()
    silent = client.run([*dtam, "test", "alpha"], env={**env, "KRB5CCNAME": "FILE:/run/no-such-cache"}, check=False)
    assert "no Kerberos ticket for the engine on alpha.lab.example" in silent.stdout


@pytest.mark.covers("AM-36")
def test_the_keytab_of_a_member_holds_its_key_and_is_root_s_alone(lab: Lab) -> None:
    beta, path = lab.host("beta"), lab.keytab("BETA$")
    facts = beta.call(look, path)
    assert (facts.is_link, facts.mode & 0o077, facts.owner) == (False, 0, 0)
    assert f"BETA$@{lab.realm}" in facts.principals
    listed = beta.run(["klist", "-k", path]).stdout
    assert all(principal in listed for principal in facts.principals)


def test_no_ticket_is_one_line_with_the_remedy(lab: Lab, engine: Engine) -> None:
    def ask() -> tuple[str, str]:
        try:
            name_of(engine.client(engine.by_ticket()))
        except TicketMissing as error:
            return str(error), error.hint
        raise AssertionError("it was allowed")

    says, hint = on(lab.host("client"), {"KRB5CCNAME": "FILE:/run/no-such-cache"}, ask)
    assert says.startswith("no Kerberos ticket for the engine on alpha.lab.example: ")
    assert "kinit" in hint
