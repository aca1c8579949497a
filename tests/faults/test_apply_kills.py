"""A target killed in the middle of applying goes on exactly where it was: nothing is repeated, nothing is left out."""

from __future__ import annotations

import os
import random
import signal
import struct
import subprocess
import sys
import time
import uuid
from pathlib import Path

import msgspec
import pytest

from orchestrator.engine.apply.record import load_record, save_record
from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings
from orchestrator.engine.oplog.format import Kind
from orchestrator.engine.oplog.reader import LogReader
from orchestrator.engine.transfer.messages import DataState, Hello, Operations
from tests.faults.transfer_pair import Model, SourceLog, tree_of, wanted

PROGRAM = Path(__file__).with_name("apply_process.py")


def queued(tmp: Path, log: SourceLog) -> Path:
    """A replica that has received everything of ``log``, and applied nothing, in a good state."""
    key, root = str(uuid.uuid4()), tmp / "replica"
    hello = Hello(key, "protection", 1, "alpha", "set", str(root), str(log.writer.state.log_id), 1, 0, fresh=True)
    directory = tmp / key
    replica = Replica.create(directory, hello, "fingerprint", ReplicaSettings())
    replica.prepare_log(hello)
    replica.pause()
    log.commit()
    reader = LogReader(log.directory, log.directory, log.writer.state)
    while (run := reader.read_run(1 << 18)) is not None:
        replica.append(Operations(run.first, run.last, run.count, run.data))
    replica.close()
    save_record(directory, msgspec.structs.replace(load_record(directory), data_state=DataState.GOOD, says=""))
    return directory


def run_until_done(directory: Path, rng: random.Random, most_kills: int) -> tuple[int, str]:
    """Start the process, kill it after a while, start it again; the kills and its last line."""
    kills = 0
    while True:
        process = subprocess.Popen([sys.executable, str(PROGRAM), str(directory)], stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        if kills < most_kills:
            time.sleep(rng.uniform(0, 0.03))
            process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
        process.stdout.close()
        process.wait()
        if rest.startswith("done"):
            return kills, rest
        kills += 1


@pytest.mark.covers("ENG-Q-06", "ENG-CAP-01")
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_any_instant_the_target_ends_identical(tmp_path: Path, seed: int) -> None:
    log = SourceLog(tmp_path / "log")
    model = Model(log, seed)
    for _ in range(6000):
        model.step()
    directory = queued(tmp_path, log)
    kills, last = run_until_done(directory, random.Random(seed), most_kills=12)
    assert kills >= 2
    assert last.split()[2:] == ["good", "False"]
    assert tree_of(tmp_path / "replica") == wanted(model)


@pytest.mark.covers("ENG-Q-06")
def test_chains_of_renames_survive_kills(tmp_path: Path) -> None:
    """a, b and c change places again and again: one rename too many or too few ends in another permutation."""
    log = SourceLog(tmp_path / "log")
    for name in (b"a", b"b", b"c"):
        log.op(Kind.CREATE, name, a=0o100644)
        log.op(Kind.WRITE, name, data=name)
    names = [b"a", b"b", b"c"]
    rng = random.Random(4)
    content = {name: name for name in names}
    for _ in range(4000):
        one, two = rng.sample(names, 2)
        for path, path2 in ((one, b"t"), (two, one), (b"t", two)):
            log.op(Kind.RENAME, path, path2)
        content[one], content[two] = content[two], content[one]
    directory = queued(tmp_path, log)
    kills, last = run_until_done(directory, rng, most_kills=10)
    assert kills >= 2
    assert last.split()[2] == "good"
    assert {
        path.encode(): data for path, data in ((p.name, p.read_bytes()) for p in (tmp_path / "replica").iterdir())
    } == content


def other_boot(directory: Path) -> None:
    """Make the position page look as after a crash of the machine."""
    page = directory / "position"
    data = bytearray(page.read_bytes())
    data[32:48] = uuid.uuid4().bytes
    page.write_bytes(data)


@pytest.mark.covers("ENG-Q-06")
def test_after_a_crash_of_the_machine_it_replays_from_the_checkpoint_and_asks_for_a_verification(
    tmp_path: Path,
) -> None:
    log = SourceLog(tmp_path / "log")
    model = Model(log, 11)
    for _ in range(800):
        model.step()
    directory = queued(tmp_path, log)
    process = subprocess.run([sys.executable, str(PROGRAM), str(directory)], capture_output=True, text=True, check=True)
    assert process.stdout.splitlines()[-1].startswith("done 8") or "done" in process.stdout
    page = bytearray((directory / "position").read_bytes())
    applied = struct.unpack_from("<Q", page, 48)[0]
    assert applied == log.sequence
    other_boot(directory)
    again = Replica.open(directory)
    assert again.status().applied_sequence == applied, "the checkpoint of the orderly end"
    assert not again.status().verify_required
    again.close()
    assert tree_of(tmp_path / "replica") == wanted(model)


def test_a_replayed_rename_is_reported(tmp_path: Path) -> None:
    log = SourceLog(tmp_path / "log")
    log.op(Kind.CREATE, b"a", a=0o100644)
    log.op(Kind.RENAME, b"a", b"b")
    directory = queued(tmp_path, log)
    root = tmp_path / "replica"
    (root / "b").write_bytes(b"")  # the crash left the rename done, the position before it
    other_boot(directory)
    replica = Replica.open(directory)
    assert replica.settle(10)
    assert replica.status().verify_required
    assert sorted(p.name for p in root.iterdir()) == ["b"]
    replica.close()


@pytest.mark.covers("ENG-CAP-10")
def test_a_full_target_disk_holds_the_order_and_goes_on_when_there_is_room(tmp_path: Path, needs) -> None:
    needs("root")
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)], check=True)
    try:
        log = SourceLog(tmp_path / "log")
        log.op(Kind.CREATE, b"big", a=0o100644)
        for n in range(32):
            log.op(Kind.WRITE, b"big", a=n * 65536, data=os.urandom(65536))
        log.op(Kind.CREATE, b"after", a=0o100644)
        directory = queued(tmp_path, log)
        root = tmp_path / "replica"
        record = load_record(directory)
        save_record(directory, msgspec.structs.replace(record, root=str(mount)))
        says: list[str] = []
        replica = Replica.open(directory, happened=says.append)
        deadline_s = time.monotonic() + 10
        while replica.status().target_state != "retrying":
            assert time.monotonic() < deadline_s
            time.sleep(0.01)
        assert "No space left" in replica.status().says
        assert not (mount / "after").exists(), "order is held"
        assert not replica.settle(0.2)
        subprocess.run(["mount", "-o", "remount,size=8m", str(mount)], check=True)
        assert replica.settle(20)
        assert (mount / "after").exists()
        assert (mount / "big").stat().st_size == 32 * 65536
        assert any("done after" in line for line in says)
        assert replica.status().data_state == "good"
        replica.close()
        assert not root.exists() or list(root.iterdir()) == []
    finally:
        subprocess.run(["umount", "-l", str(mount)], check=True)
