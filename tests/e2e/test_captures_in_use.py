"""What lies above a captured directory, and what must never: block devices over its files, and replicas that are being applied."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.engine.client import AnswerRefused, DeviceStatus, EngineClient, schema
from tests.conftest import require
from tests.e2e.conftest import EngineProcess, Engines, wait_for
from tests.e2e.test_engine_pair import Pair, tree

IMAGE_BYTES = 24 * 1024 * 1024


@pytest.fixture(scope="module")
def both(module_engines: Engines) -> tuple[EngineProcess, EngineProcess]:
    """Two paired engines for all tests here."""
    require("root", "fuse")
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    return alpha, beta


@pytest.fixture
def pair(both: tuple[EngineProcess, EngineProcess], tmp_path: Path, until: object) -> Iterator[Pair]:
    """A captured directory of its own on the first, and where it would go on the second."""
    made = Pair(*both, tmp_path / "source", tmp_path / "target", until)
    made.source.mkdir()
    with made.alpha.local(timeout_s=60) as client:
        client.mount(schema.MountRequest(path=str(made.source), capture="fuse"))
        client.create_replication_set(schema.ReplicationSet(name="data", root=str(made.source)))
        yield made
        for connection in client.connections():
            client.disconnect(connection.key)
        client.delete_replication_set("data")
        client.unmount(str(made.source))


def run(*words: str | Path) -> str:
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


@contextlib.contextmanager
def mounted(what: str | Path, where: Path, *options: str) -> Iterator[Path]:
    where.mkdir(exist_ok=True)
    run("mount", *options, what, where)
    try:
        yield where
    finally:
        run("umount", where)


@contextlib.contextmanager
def attached(client: EngineClient, image: Path) -> Iterator[DeviceStatus]:
    status = client.add_device(schema.DeviceRequest(file=str(image)))
    try:
        yield status
    finally:
        client.remove_device(str(image))


def inspected(image: Path, beside: Path) -> dict[str, tuple]:
    """What is in a copy of an image, once its journal is replayed.

    It may have to be, also after the unmount at the source: whoever begins a mount namespace meanwhile has a copy of the mount, and the
    file system lives until that is gone, too. A read-only mount would be refused then.
    """
    copy = beside / "copy.img"
    run("cp", image, copy)
    with mounted(copy, beside / "inspected", "-o", "loop") as place:
        return tree(place)


def written(place: Path) -> dict[str, tuple]:
    for number in range(40):
        (place / f"file-{number}").write_bytes(os.urandom(1000 * number))
    (place / "file-3").rename(place / "moved")
    (place / "file-4").unlink()
    os.sync()
    return tree(place)


@pytest.mark.covers("ENG-CAP-07")
def test_what_is_written_to_a_loop_device_is_captured_and_replicated(
    needs: Callable[..., None], pair: Pair, tmp_path: Path
) -> None:
    needs("loop")
    image, beside = pair.source / "disk.img", tmp_path / "beside"
    with image.open("wb") as file:
        file.truncate(IMAGE_BYTES)
    pair.connect()
    pair.wait_good()
    with pair.alpha.local() as client, attached(client, image) as status:
        assert (status.state, client.devices()) == ("attached", [status])
        assert client.add_device(schema.DeviceRequest(file=str(image))) == status
        run("mkfs.ext4", "-q", "-F", status.device)
        with mounted(status.device, beside):
            before = written(beside)
            pair.settle()
            # While it is in use nothing is taken away from under it, and the engine may come and go.
            with pytest.raises(AnswerRefused, match=f"it is mounted on {beside}"):
                client.remove_device(str(image))
            with pytest.raises(AnswerRefused):
                client.unmount(str(pair.source))
            assert pair.alpha.stop() == 0
            pair.alpha.start()
            assert client.devices() == [status]
            # The target's image is crash consistent at any time: its journal is replayed, its files are there.
            assert inspected(pair.target / "disk.img", tmp_path) == before
            (beside / "later").write_text("written after the restart")
            after = tree(beside)
        pair.settle()
    assert inspected(pair.target / "disk.img", tmp_path) == after

    def is_the_same() -> bool:
        pair.settle()
        return (pair.target / "disk.img").read_bytes() == image.read_bytes()

    wait_for(is_the_same, 60, "the same image")


@pytest.mark.covers("ENG-CAP-07")
def test_a_device_is_attached_again_when_the_engine_starts(needs: Callable[..., None], pair: Pair) -> None:
    needs("loop")
    image = pair.source / "disk.img"
    image.write_bytes(b"\0" * 1024 * 1024)
    with pair.alpha.local() as client, attached(client, image) as status:
        assert pair.alpha.stop() == 0
        run("losetup", "--detach", status.device)
        pair.alpha.start()
        (again,) = client.devices()
        assert again.state == "attached"


@pytest.mark.covers("ENG-CAP-07")
def test_a_device_that_lost_its_file_is_attached_again(needs: Callable[..., None], pair: Pair, tmp_path: Path) -> None:
    needs("loop")
    image, beside = pair.source / "disk.img", tmp_path / "beside"
    image.write_bytes(b"\0" * 8 * 1024 * 1024)
    with pair.alpha.local(timeout_s=60) as client, attached(client, image) as status:

        def kill_capture() -> None:
            (mount,) = client.mounts()
            os.kill(mount.pid, signal.SIGKILL)
            wait_for(lambda: client.mounts()[0].restarts > mount.restarts, 60, "capture again")

        kill_capture()
        wait_for(lambda: client.devices()[0].state == "attached", 60, "the device again")
        (again,) = client.devices()
        run("mkfs.ext4", "-q", "-F", again.device)
        with mounted(again.device, beside):
            kill_capture()
            wait_for(lambda: client.devices()[0].state == "detached", 60, "the loss to be seen")
            with pytest.raises(AnswerRefused, match=f"it is mounted on {beside}"):
                client.remove_device(str(image))
        added = client.add_device(schema.DeviceRequest(file=str(image)))
        assert added.state == "attached"
        assert len(run("losetup", "--list", "--noheadings", "--output=BACK-FILE").split("disk.img")) == 2
    assert status.file == str(image)


@pytest.mark.covers("ENG-Q-01")
def test_the_disk_queue_lies_where_it_was_wished(pair: Pair, tmp_path: Path) -> None:
    folder, mib = tmp_path / "queue", 1 << 20
    wished = schema.MountRequest(path=str(pair.source), memory_limit_bytes=6 * mib, disk_folder=str(folder))
    with pair.alpha.local(timeout_s=60) as client:
        with pytest.raises(AnswerRefused, match="captured with another folder"):
            client.mount(wished)
        client.unmount(str(pair.source))
        client.mount(wished)
        pair.connect()
        pair.wait_good()
        client.connection_action(pair.key, "pause")
        for number in range(20):
            (pair.source / f"file-{number}").write_bytes(os.urandom(mib))
        assert sum(one.stat().st_size for one in folder.rglob("*.seg")) > 5 * mib
        assert pair.alpha.stop() == 0
        pair.alpha.start()
        client.connection_action(pair.key, "resume")
        pair.assert_identical()
        wait_for(lambda: len(list(folder.rglob("*.seg"))) <= 1, 60, "spent logs to go")


@pytest.mark.covers("ENG-CAP-07")
def test_a_device_outside_of_a_capture_is_refused(pair: Pair, tmp_path: Path) -> None:
    outside = tmp_path / "outside.img"
    outside.write_bytes(b"\0" * 512)
    with pair.alpha.local() as client:
        with pytest.raises(AnswerRefused, match="it is not in a captured directory"):
            client.add_device(schema.DeviceRequest(file=str(outside)))
        with pytest.raises(AnswerRefused, match="no loop device over"):
            client.remove_device(str(outside))
        with pytest.raises(AnswerRefused, match="No such file"):
            client.add_device(schema.DeviceRequest(file=str(pair.source / "absent.img")))
        assert client.devices() == []


@pytest.mark.covers("ENG-CAP-09")
def test_a_replica_that_is_being_applied_is_not_captured(pair: Pair) -> None:
    (pair.source / "old").write_text("old")
    pair.connect()
    pair.wait_good()
    with pair.beta.local() as client:
        for path in (pair.target, pair.target / "below", pair.target.parent / "target"):
            path.mkdir(exist_ok=True)
            with pytest.raises(AnswerRefused, match="which is being applied"):
                client.mount(schema.MountRequest(path=str(path)))
        assert client.mounts() == []
        with pair.alpha.local() as source:
            source.disconnect(pair.key)
        wait_for(lambda: not client.replicas(), 60, "the end of the replica")
        assert client.mount(schema.MountRequest(path=str(pair.target))).state == "capturing"
        client.unmount(str(pair.target))
        with pytest.raises(AnswerRefused, match="the root cannot be a replication mount"):
            client.mount(schema.MountRequest(path="/"))


def test_a_capture_ends_though_another_mount_namespace_has_a_copy_of_its_mount(pair: Pair) -> None:
    """A container that was started meanwhile keeps a copy of every mount; the next capture must be one of its own."""
    elsewhere = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sleep", "infinity"])
    try:
        own = Path("/proc/self/ns/mnt").readlink()
        wait_for(lambda: Path(f"/proc/{elsewhere.pid}/ns/mnt").readlink() != own, 60, "the other namespace")
        wait_for(lambda: b"sleep" in Path(f"/proc/{elsewhere.pid}/comm").read_bytes(), 60, "its mounts being private")
        with pair.alpha.local(timeout_s=60) as client:
            (before,) = client.mounts()
            client.unmount(before.path)
            wait_for(lambda: not Path(f"/proc/{before.pid}/cmdline").exists(), 20, "the end of its program")
            client.mount(schema.MountRequest(path=before.path, capture="fuse"))
            (pair.source / "captured").write_text("by the new one")
            wait_for(lambda: client.mounts()[0].committed_sequence, 20, "the write in the log")
            assert client.mounts()[0].pid != before.pid
    finally:
        elsewhere.kill()
        elsewhere.wait()
