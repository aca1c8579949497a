"""The daemon as a caller meets it: who may do what, what is refused and how, what survives a restart."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from orchestrator.engine.client import AnswerRefused, EngineClient, EngineUnreachable, WrongFingerprint, schema
from orchestrator.engine.control.errors import PortInUse, StateFileDamaged, StateInUse


def dtengine(*words: str, **settings: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "orchestrator.engine.cli.dtengine", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False, **settings)


def test_server_says_who_it_is_and_keeps_it_over_a_restart(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        before = client.server()
    assert (before.name, before.addresses) == ("alpha", ["127.0.0.2"])
    assert alpha.stop() == 0
    alpha.start()
    with alpha.local() as client:
        after = client.server()
    assert (after.engine_id, after.fingerprint) == (before.engine_id, before.fingerprint)


@pytest.mark.covers("ENG-SEC-02")
def test_remote_callers_need_a_token_and_its_scope_counts(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        admin = client.create_token("boss", schema.Scope.ADMIN).token
        looker = client.create_token("looker").token
    with alpha.remote() as nobody, pytest.raises(AnswerRefused, match="no valid token") as refused:
        nobody.server()
    assert (refused.value.status, refused.value.error) == (401, "Unauthorised")
    with alpha.remote(token="made-up") as stranger, pytest.raises(AnswerRefused, match="no valid token"):
        stranger.facts()
    with alpha.remote(token=looker) as client:
        assert client.server().name == "alpha"
        with pytest.raises(AnswerRefused, match="may look, not act"):
            client.create_token("more", schema.Scope.ADMIN)
    with alpha.remote(token=admin) as client:
        client.revoke_token("looker")
    with alpha.remote(token=looker) as client, pytest.raises(AnswerRefused, match="no valid token"):
        client.server()


def test_token_secrets_are_not_on_disk(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        secret = client.create_token("boss", schema.Scope.ADMIN).token
    held = [path for path in alpha.state.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]
    assert held == []
    loose = [
        path
        for path in alpha.state.iterdir()
        if path.name not in ("certificate.pem", "control.sock") and path.stat().st_mode & 0o077
    ]
    assert loose == []


@pytest.mark.covers("ENG-SEC-02")
def test_another_certificate_than_the_pinned_one_is_refused_before_the_token_is_sent(engines):
    alpha = engines.make("alpha")
    with alpha.remote(token="secret", fingerprint="0" * 64) as client, pytest.raises(WrongFingerprint):
        client.server()


def test_local_callers_are_known_by_their_uid(engines, needs):
    needs("root")
    alpha = engines.make("alpha")
    for directory in [*alpha.state.parents][:-1]:
        directory.chmod(directory.stat().st_mode | 0o011)
    request = (
        "import socket,sys; s=socket.socket(socket.AF_UNIX); s.connect(sys.argv[1]);"
        "s.sendall(b'GET /v1/server HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n');"
        "print(s.makefile('rb').read().decode())"
    )
    command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "/usr/bin/env", "python3", "-c", request]
    if subprocess.run(
        [*command[:4], "/usr/bin/env", "python3", "-c", "0"], capture_output=True, check=False
    ).returncode:
        pytest.skip("python3 cannot be run by another user here")
    done = subprocess.run(
        [*command, str(alpha.state / "control.sock")], capture_output=True, text=True, timeout=30, check=True
    )
    assert " 401 " in done.stdout.splitlines()[0]
    assert "does not know this user" in done.stdout


def test_bad_requests_lose_nothing_and_say_where(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.create_replication_set(schema.ReplicationSet(name="data", root="/srv/data"))
        for path, body, words in (
            ("/v1/replication-sets", {"name": "x", "root": "/a", "surprise": 1}, "surprise"),
            ("/v1/replication-sets", {"name": "x", "root": "relative"}, "absolute"),
            ("/v1/replication-sets", {"name": "bad name!", "root": "/a"}, "name"),
            ("/v1/peers", {"name": "x"}, "engine_id"),
            ("/v1/mounts", {"path": "/a", "memory_limit_bytes": -1}, "memory_limit_bytes"),
        ):
            with pytest.raises(AnswerRefused, match=words) as refused:
                client._send(dict, "POST", path, body)
            assert (refused.value.status, refused.value.exit_code) == (422, 94)
        with pytest.raises(AnswerRefused, match="not understood"):
            client._call(dict, "POST", "/v1/replication-sets", ["no", "object"], 0)
        with pytest.raises(AnswerRefused, match="Not Found"):
            client._get(dict, "/v1/nothing")
        assert [one.name for one in client.replication_sets()] == ["data"]


def test_a_set_saved_by_two_is_refused_to_the_second(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        first = client.create_replication_set(schema.ReplicationSet(name="data", root="/srv/data"))
        client.save_replication_set(first.model_copy(update={"root": "/srv/one"}))
        with pytest.raises(AnswerRefused, match="generation 1 was read, 2 is current"):
            client.save_replication_set(first.model_copy(update={"root": "/srv/two"}))
        assert client.replication_sets()[0].root == "/srv/one"


def test_openapi_describes_every_route(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        paths = client.openapi()["paths"]
    for path in ("/v1/server", "/v1/connections/{key}/actions", "/v1/protections/{protection}/state", "/v1/mounts"):
        assert path in paths


@pytest.mark.covers("ENG-CN-04")
def test_port_in_use_is_one_clear_line(engines, tmp_path):
    alpha = engines.make("alpha")
    for option, code in (
        ("--control-port", PortInUse.exit_code),
        ("--probe-port", PortInUse.exit_code),
        ("--data-port", PortInUse.exit_code),
    ):
        free = {"--control-port": "1", "--data-port": "1", "--probe-port": "1"}
        ports = dict(zip(free, ("16390", "16391", "16392"), strict=True))
        ports[option] = str(alpha.ports[option[2:].replace("-", "_")])
        flags = [word for pair in ports.items() for word in pair]
        done = dtengine("run", "--state", str(tmp_path / "other"), "--address", "127.0.0.2", "--name", "other", *flags)
        assert done.returncode == code, done.stderr
        lines = [line for line in done.stderr.splitlines() if line.startswith(("dtengine:", "HINT:"))]
        assert "Address already in use" in lines[0]
        assert option in lines[1]
        assert "Traceback" not in done.stderr


def test_a_second_daemon_on_the_same_state_is_refused(engines):
    alpha = engines.make("alpha")
    done = dtengine("run", "--state", str(alpha.state), "--address", "127.0.0.2")
    assert done.returncode == StateInUse.exit_code
    assert str(alpha.process.pid) in done.stderr


def test_a_torn_state_file_is_named_and_nothing_is_started(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.create_replication_set(schema.ReplicationSet(name="data", root="/srv/data"))
    alpha.stop()
    torn = alpha.state / "sets" / "data.json"
    whole = torn.read_text()
    torn.write_text(whole[: len(whole) // 2])
    done = dtengine(
        "run", "--state", str(alpha.state), "--address", "127.0.0.2", "--control-port", str(alpha.ports["control_port"])
    )
    assert done.returncode == StateFileDamaged.exit_code
    assert str(torn) in done.stderr
    assert "Traceback" not in done.stderr
    torn.write_text(whole)
    alpha.start()


def test_unreachable_engine_is_one_clear_line(tmp_path):
    done = dtengine("server", "--state", str(tmp_path))
    assert done.returncode == EngineUnreachable.exit_code
    assert "No such file" in done.stderr
    with (
        EngineClient.https("127.0.0.9", 1, fingerprint="0" * 64) as client,
        pytest.raises(EngineUnreachable, match="refused"),
    ):
        client.server()


@pytest.mark.covers("ENG-SEC-02")
def test_pairing_goes_both_ways_and_an_engine_does_not_pair_with_itself(engines):
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    with alpha.local() as client:
        assert [(peer.name, peer.address) for peer in client.peers()] == [("beta", "127.0.0.3")]
    with beta.local() as client:
        assert [(peer.name, peer.address) for peer in client.peers()] == [("alpha", "127.0.0.2")]
    with pytest.raises(AnswerRefused, match="this engine itself"):
        engines.pair(alpha, alpha)
    with alpha.local() as client, pytest.raises(AnswerRefused, match="another certificate"):
        client.pair(
            schema.PairRequest(
                address="127.0.0.3", control_port=beta.ports["control_port"], fingerprint="1" * 64, token="x"
            )
        )
    alpha.kill()
    alpha.start()
    with alpha.local() as client:
        assert [peer.name for peer in client.peers()] == ["beta"]


def test_udp_probe_is_answered_and_noise_is_not(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        engine_id = bytes.fromhex(client.server().engine_id)
    nonce = os.urandom(16)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.settimeout(5)
        probe.sendto(b"NOPROBE1" + nonce, (alpha.address, alpha.ports["probe_port"]))
        probe.sendto(b"DTPROBE1" + nonce, (alpha.address, alpha.ports["probe_port"]))
        assert probe.recv(100) == b"DTALIVE1" + nonce + engine_id


def test_cli_shows_json_and_events(engines):
    alpha = engines.make("alpha")
    shown = json.loads(dtengine("server", "--state", str(alpha.state), "--json").stdout)
    assert shown["name"] == "alpha"
    done = dtengine("token", "create", "boss", "--scope", "admin", "--state", str(alpha.state))
    assert done.returncode == 0
    assert "asked POST /v1/tokens" in dtengine("events", "--state", str(alpha.state)).stdout
    remote = ("--connect", f"127.0.0.2:{alpha.ports['control_port']}", "--fingerprint", shown["fingerprint"])
    secret = next(line.split("\t")[1] for line in done.stdout.splitlines() if line.startswith("token\t"))
    asked = dtengine("server", *remote, env=os.environ | {"DTENGINE_TOKEN": secret})
    assert asked.returncode == 0, asked.stderr


def test_a_token_that_cannot_be_written_down_is_not_made(engines, tmp_path):
    alpha = engines.make("alpha")
    there = tmp_path / "token"
    there.write_text("kept")
    done = dtengine("token", "create", "boss", "--to", str(there), "--state", str(alpha.state))
    assert (done.returncode, there.read_text()) == (2, "kept")
    assert "give a file that is not there yet" in done.stderr
    assert "Traceback" not in done.stderr
    assert "boss" not in dtengine("token", "list", "--state", str(alpha.state)).stdout


@pytest.mark.covers("AM-18")
def test_the_logs_of_the_utilities_are_shown_and_nothing_else_of_the_host(engines):
    alpha = engines.make("alpha")
    folder = alpha.state / "names"
    folder.mkdir(exist_ok=True)
    (folder / "dfo.prev.log").write_text("moved once\n")
    (folder / "dfo.log").write_text("moved again\n")
    with alpha.local() as client:
        assert client.log("dfo").lines == ["moved once", "moved again"]
        assert client.log("dfo", 1).lines == ["moved again"]
        assert client.log("exchfailover").lines == []
        for name in ("key.pem", "..", "dfo.log", "%2e%2e%2fkey.pem"):
            with pytest.raises(AnswerRefused):
                client.log(name)
