"""Services and scripts of a protection on a real engine: started, fenced, killed in the middle, found again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from orchestrator.engine.client import AnswerRefused, schema

ONE_STEP = """#!/bin/bash
input=$(cat)
line() { printf '{"step": "%s", "event": "%s", "says": "%s"}\\n' "$1" "$2" "$3" >>"$RUNDIR/$RUN.run"; }
RUN=$(printf '%s' "$input" | sed 's/.*"run_id": "\\([^"]*\\)".*/\\1/').post_failover
line one about-to "one begins"
if grep -q '"one", "event": "done"' "$RUNDIR/$RUN.run"; then line one already "one was done"; else line one done "one is done"; fi
line two about-to "two begins"
while [ ! -e GATE ]; do sleep 0.05; done
line two done "two is done"
"""


def document(
    engine, role: str = "source", services: list[schema.Service] | None = None, **more: object
) -> schema.Protection:
    with engine.local() as client:
        own = client.server()
    side = schema.EngineSide(
        name=own.name,
        engine_id=own.engine_id,
        control_address=engine.address,
        fingerprint=own.fingerprint,
        **engine.ports,
    )
    other = side.model_copy(update={"name": "other", "engine_id": "f" * 32, "control_address": "127.0.0.4"})
    source, target = (side, other) if role == "source" else (other, side)
    return schema.Protection(
        id="files", application="fileprint", role=role, source=source, target=target, replication_set="data",
        services=services or [], **more,
    )  # fmt: skip


def gone(pid: int) -> bool:
    """Nobody runs under this id; what only waits to be reaped does not count."""
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    return True


def sleeper(name: str = "web", **more: object) -> schema.Service:
    program = "import signal,time; signal.signal(signal.SIGTERM, lambda *_: exit(0)); time.sleep(600)"
    return schema.Service(name=name, start_command=[sys.executable, "-c", program], grace_s=5, **more)


def test_service_runs_survives_the_daemon_and_stops(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, services=[sleeper()]))
        assert client.service("web").state == "stopped"
        started = client.start_service("web")
        assert started.state == "running"
    alpha.kill()
    assert psutil.pid_exists(started.pid)
    alpha.start()
    with alpha.local() as client:
        assert client.service("web").pid == started.pid
        assert client.start_service("web").pid == started.pid
        assert client.stop_service("web").state == "stopped"
    assert gone(started.pid)


def test_a_service_that_ignores_the_stop_is_killed_with_its_children(engines, until):
    alpha = engines.make("alpha")
    program = (
        "import signal,subprocess,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        "print(subprocess.Popen(['sleep', '600']).pid, flush=True); time.sleep(600)"
    )
    service = schema.Service(name="stubborn", start_command=[sys.executable, "-c", program], grace_s=0.3)
    with alpha.local() as client:
        client.put_protection(document(alpha, services=[service]))
        started = client.start_service("stubborn")
        output = alpha.state / "services" / "stubborn" / "output.log"
        until(lambda: output.read_text().strip(), 10)
        child = psutil.Process(int(output.read_text()))
        client.stop_service("stubborn")
    assert gone(started.pid)
    until(lambda: gone(child.pid), 5)


def test_a_service_that_ends_or_stays_sick_is_one_clear_refusal(engines):
    alpha = engines.make("alpha")
    services = [
        schema.Service(name="short", start_command=["/bin/true"]),
        schema.Service(name="absent", start_command=["/no/such/program"]),
        sleeper("sick", health_command=["/bin/false"], start_timeout_s=0.5),
    ]
    with alpha.local() as client:
        client.put_protection(document(alpha, services=services))
        for name, why in (("short", "ended at once"), ("absent", "ended at once"), ("sick", "not healthy after 0.5 s")):
            with pytest.raises(AnswerRefused, match=why) as refused:
                client.start_service(name)
            assert refused.value.exit_code == 96
            assert client.service(name).state != "running"


def test_a_target_does_not_start_protected_services(engines):
    beta = engines.make("beta")
    with beta.local() as client:
        state = client.put_protection(document(beta, role="target", services=[sleeper()]))
        assert state.fence.held
        with pytest.raises(AnswerRefused, match="this engine is the target") as refused:
            client.start_service("web")
        assert (refused.value.error, refused.value.exit_code) == ("Fenced", 95)


@pytest.mark.covers("ENG-FO-09")
def test_fence_stops_services_and_holds_over_a_restart(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, services=[sleeper()]))
        started = client.start_service("web")
        client.protection_action("files", "fence", reason="failed over")
        assert gone(started.pid)
    alpha.kill()
    alpha.start()
    with alpha.local() as client:
        with pytest.raises(AnswerRefused, match="failed over"):
            client.start_service("web")
        client.protection_action("files", "unfence", by="ann", reason="looked at it")
        assert not client.protection_state("files").fence.held


@pytest.mark.covers("ENG-FO-09")
def test_after_a_boot_without_a_witness_services_wait_for_a_person(engines, until):
    """A boot is what the engine takes for one: what it was told counts for the boot id that was stored with it."""
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, services=[sleeper()]))
        client.start_service("web")
        client.stop_service("web")
        client.start_service("web")
    alpha.kill()
    record = alpha.state / "protections" / "files" / "document.json"
    booted = json.loads(record.read_text())
    os.kill(int((alpha.state / "services" / "web" / "process").read_text().split()[0]), signal.SIGKILL)
    booted["override"]["boot_id"] = "an earlier boot"
    record.write_text(json.dumps(booted))
    alpha.start()
    check = [
        sys.executable,
        "-m",
        "orchestrator.engine.cli.dtengine",
        "fence",
        "--check",
        "files",
        "--state",
        str(alpha.state),
    ]
    fenced = subprocess.run(check, capture_output=True, text=True, check=False)
    assert (fenced.returncode, "not confirmed" in fenced.stdout) == (1, True)
    with alpha.local() as client:
        with pytest.raises(AnswerRefused, match="not confirmed"):
            client.start_service("web")
        client.protection_action("files", "unfence", by="ann", reason="the other side is down, I looked", forced=True)
        until(lambda: client.service("web").state == "running", 30)
    assert subprocess.run(check, capture_output=True, text=True, check=False).returncode == 0


def test_wanted_services_start_again_when_the_fence_is_lifted(engines, until):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, services=[sleeper("one"), sleeper("two")]))
        client.start_service("one")
        client.start_service("two")
        client.stop_service("two")
        client.protection_action("files", "fence")
        client.protection_action("files", "unfence", by="ann")
        until(lambda: client.service("one").state == "running", 10)
        assert client.service("two").state == "stopped"


def test_an_older_document_and_a_foreign_one_are_refused(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, epoch=3))
        with pytest.raises(AnswerRefused, match="knows epoch 3"):
            client.put_protection(document(alpha, epoch=2))
        foreign = document(alpha, epoch=4).model_copy(update={"role": "target"})
        with pytest.raises(AnswerRefused, match="not this engine"):
            client.put_protection(foreign)
        same = document(alpha).source
        with pytest.raises(AnswerRefused, match="same server"):
            client.put_protection(document(alpha, epoch=4).model_copy(update={"target": same}))
        assert client.protection("files").epoch == 3


def test_a_script_killed_with_its_daemon_goes_on_with_the_same_run(engines, until, tmp_path):
    alpha = engines.make("alpha")
    gate = tmp_path / "gate"
    with alpha.local() as client:
        client.put_protection(document(alpha))
        client.put_script("files", "post_failover", ONE_STEP.replace("GATE", str(gate)))
        request = schema.RunRequest(run_id="r1", segments=["one", "two"], facts={"x": 1})
        assert client.run_script("files", "post_failover", request).state == "running"
        until(lambda: len(client.run("r1").lines) >= 3, 10)
    alpha.kill()
    alpha.start()
    with alpha.local() as client:
        assert client.run("r1").state == "running", "a script outlives the daemon"
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if str(alpha.state) in " ".join(process.cmdline()) and process.pid != alpha.process.pid:
                    os.kill(process.pid, signal.SIGKILL)
        until(lambda: client.run("r1").state == "interrupted", 10)
        gate.touch()
        client.run_script("files", "post_failover", request)
        done = client.wait_run("r1", 20)
    assert (done.state, done.script_exit_code) == ("done", 0)
    assert [line["event"] for line in done.lines if line["step"] == "one"] == [
        "about-to",
        "done",
        "about-to",
        "already",
    ]
    assert (alpha.state / "runs").stat().st_mode & 0o777 == 0o700


def test_no_script_gives_back_what_another_still_takes(engines, until, tmp_path):
    """A failover that does not wait for its script may be followed by a failback at once."""
    alpha = engines.make("alpha")
    gate = tmp_path / "gate"
    with alpha.local() as client:
        client.put_protection(document(alpha))
        client.put_script("files", "post_failover", ONE_STEP.replace("GATE", str(gate)))
        client.put_script("files", "pre_failback", "#!/bin/bash\nexit 0\n")
        client.run_script("files", "post_failover", schema.RunRequest(run_id="out", segments=["one", "two"]))
        until(lambda: len(client.run("out").lines) >= 3, 10)
        back = schema.RunRequest(run_id="back")
        with pytest.raises(AnswerRefused, match=r"post_failover of it still runs \(out\)"):
            client.run_script("files", "pre_failback", back)
        looking = schema.RunRequest(run_id="look", dry_run=True)
        assert client.run_script("files", "pre_failback", looking).run_id == "look", "looking holds nobody up"
        again = schema.RunRequest(run_id="refresh-names-1", segments=["refresh-names"])
        assert client.run_script("files", "pre_failback", again).run_id == again.run_id, "nor does what takes nothing"
        gate.touch()
        assert client.wait_run("out", 20).state == "done"
        client.run_script("files", "pre_failback", back)
        assert client.wait_run("back", 20).state == "done"


def test_a_script_changed_on_the_host_or_of_an_older_epoch_is_not_run(engines):
    alpha = engines.make("alpha")
    with alpha.local() as client:
        client.put_protection(document(alpha, epoch=2))
        client.put_script("files", "post_failover", "#!/bin/bash\nexit 3\n")
        with pytest.raises(AnswerRefused, match="carries epoch 1"):
            client.run_script("files", "post_failover", schema.RunRequest(run_id="old", epoch=1))
        client.run_script("files", "post_failover", schema.RunRequest(run_id="r"))
        failed = client.wait_run("r", 10)
        assert (failed.state, failed.script_exit_code) == ("failed", 3)
        script = alpha.state / "protections" / "files" / "scripts" / "post_failover"
        script.write_text("#!/bin/bash\nrm -rf something\n")
        with pytest.raises(AnswerRefused, match="changed on this host"):
            client.run_script("files", "post_failover", schema.RunRequest(run_id="r2"))
        with pytest.raises(AnswerRefused, match="SHA-256"):
            client._send(dict, "PUT", "/v1/protections/files/scripts/x", {"text": "a", "sha256": "0" * 64})


def test_facts_say_what_is_at_paths(engines, tmp_path):
    alpha = engines.make("alpha")
    (tmp_path / "dir").mkdir()
    (tmp_path / "dir" / "a").write_bytes(b"123")
    with alpha.local() as client:
        facts = client.facts([str(tmp_path / "dir"), str(tmp_path / "dir" / "a"), str(tmp_path / "none")])
    assert facts.paths[str(tmp_path / "dir")].entries == 1
    assert facts.paths[str(tmp_path / "dir" / "a")].bytes == 3
    absent = facts.paths[str(tmp_path / "none")]
    assert (absent.exists, absent.kind) == (False, "absent")
    assert absent.free_bytes > 0
    assert f"127.0.0.2:{alpha.ports['control_port']}" in facts.listening
    assert Path("/proc/sys/kernel/random/boot_id").read_text().strip() == facts.boot_id
