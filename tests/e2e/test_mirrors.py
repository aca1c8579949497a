"""Mirrors between two real engines: the rows of chapter 10's table, pause and stop through the API, metadata, a source that is written."""

from __future__ import annotations

import os
import random
import stat
import subprocess
import threading
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.client import AnswerRefused, schema
from orchestrator.engine.control.schema_verify import VerifySchedule
from tests.e2e.conftest import wait_for

NOW_S = 1_700_000_000
EARLIER_S = NOW_S - 3600
BLOCK = 64 << 10
OLD, NEW = b"o", b"n"
# What the target has before each row: content, time there; the source has NEW at NOW_S. Sizes agree but for "longer".
FILES = {
    "equal": (NEW, NOW_S),
    "touched": (NEW, EARLIER_S),
    "newer-here": (OLD, EARLIER_S),
    "newer-there": (OLD, NOW_S + 3600),
    "silent": (OLD, NOW_S),
    "longer": (OLD, EARLIER_S),
    "missing": None,
}
DIFFERENT = {"newer-here", "newer-there", "longer", "missing"}
# kind, checksum, only_newer -> the files whose content is the source's afterwards
ROWS: dict[str, tuple[dict[str, Any], set[str]]] = {
    "full": ({"kind": "full"}, {"equal", "touched", "silent", *DIFFERENT}),
    "difference": ({"kind": "difference"}, {"equal", "touched", *DIFFERENT}),
    "only if newer": (
        {"kind": "difference", "only_newer": True},
        {"equal", "touched", "newer-here", "longer", "missing"},
    ),
    "checksum": ({"kind": "difference", "checksum": True}, {"equal", "touched", *DIFFERENT}),
    "only if newer, checksum": (
        {"kind": "difference", "checksum": True, "only_newer": True},
        {"equal", "touched", "newer-here", "longer", "missing"},
    ),
}


def write(path: Path, content: bytes, when_s: int) -> None:
    path.write_bytes(content)
    os.utime(path, (when_s, when_s))


class Work:
    """Alpha captures ``source`` and mirrors it to beta's ``target``."""

    def __init__(self, alpha: Any, beta: Any, base: Path, name: str) -> None:
        self.alpha, self.beta, self.name = alpha, beta, name
        self.source, self.target = base / "source", base / "target"
        self.source.mkdir()
        self.target.mkdir()
        self.key = ""

    def capture(self, kind: str = "fuse") -> None:
        with self.alpha.local() as client:
            client.mount(schema.MountRequest(path=str(self.source), capture=kind))
            client.create_replication_set(schema.ReplicationSet(name=self.name, root=str(self.source)))

    def connect(self, **options: Any) -> None:
        mapping = schema.Mapping(kind="custom", target_root=str(self.target))
        with self.alpha.local() as client:
            self.key = client.connect(
                schema.ConnectionRequest(replication_set=self.name, target="beta", mapping=mapping, **options)
            ).key

    def status(self) -> Any:
        with self.alpha.local() as client:
            return client.connection(self.key)

    def act(self, action: str, **settings: Any) -> Any:
        with self.alpha.local(timeout_s=90) as client:
            return client.connection_action(self.key, action, **settings)

    def good(self) -> Any:
        return wait_for(
            lambda: (s := self.status()).target_data_state == "good" and s.mirror_state == "Idle" and s, 90, "good"
        )

    def end(self) -> None:
        with self.alpha.local() as client:
            for connection in client.connections():
                client.disconnect(connection.key)
            for mount in client.mounts():
                client.unmount(mount.path)
            for one in client.replication_sets():
                client.delete_replication_set(one.name)


@pytest.fixture(scope="module")
def two(module_engines):
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    return alpha, beta


@pytest.fixture
def work(two, tmp_path, needs):
    needs("fuse")
    made = Work(*two, tmp_path, "data")
    yield made
    made.end()


@pytest.mark.covers("ENG-MIR-01")
@pytest.mark.parametrize("row", ROWS)
def test_each_row_of_the_table_sends_what_it_says(work, row):
    options, brought = ROWS[row]
    for name, there in FILES.items():
        write(work.source / name, NEW * 300_000, NOW_S)
        if there is not None:
            content, when_s = there
            write(work.target / name, content * (400_000 if name == "longer" else 300_000), when_s)
    work.capture()
    work.connect(mirror=schema.MirrorOptions(**options))
    status = work.good()
    found = {path.name: path.read_bytes() for path in work.target.iterdir()}
    assert {name for name, content in found.items() if content == NEW * 300_000} == brought
    assert all(found[name] == OLD * 300_000 for name in set(FILES) - brought)
    whole = 300_000 * (len(FILES) if row == "full" else 0)
    assert status.mirror_bytes_sent >= whole
    if options.get("kind") == "difference":
        assert status.mirror_files_compared == len(FILES)


@pytest.mark.covers("ENG-MIR-01")
def test_a_checksum_sends_only_the_blocks_that_differ(work):
    content = random.Random(3).randbytes(40 * BLOCK)
    changed = bytearray(content)
    changed[7 * BLOCK + 5] ^= 1
    changed[30 * BLOCK] ^= 1
    write(work.target / "file", content, EARLIER_S)
    write(work.source / "file", bytes(changed), NOW_S)
    work.capture()
    work.connect(mirror=schema.MirrorOptions(kind="difference", checksum=True))
    status = work.good()
    assert (work.target / "file").read_bytes() == bytes(changed)
    assert 2 * BLOCK <= status.mirror_bytes_sent < 4 * BLOCK, "two blocks, and words about them"


def fill(root: Path, megabytes: int) -> None:
    chance = random.Random(5)
    for number in range(megabytes):
        (root / f"file-{number:03}").write_bytes(chance.randbytes(1 << 20))


@pytest.mark.covers("ENG-MIR-02")
def test_a_mirror_paused_goes_on_where_it_was_and_one_stopped_starts_over(work):
    fill(work.source, 96)
    work.capture()
    work.connect(start_mirror=False, auto_remirror=False)
    wait_for(lambda: work.status().state == "Started", 30)
    assert work.status().target_data_state != "good"
    work.act("start_mirror")
    wait_for(lambda: work.status().mirror_bytes_sent, 30, "the first bytes")
    work.act("pause_mirror")
    assert work.status().mirror_state == "Paused"
    paused = wait_for(lambda: still(work), 30, "a mirror that stands still")
    assert paused < 96
    assert work.status().target_data_state != "good"
    work.act("resume_mirror")
    status = work.good()
    assert status.mirror_bytes_sent < 97 << 20, "nothing was sent twice"
    assert same_files(work)

    before_bytes = work.status().mirror_bytes_sent
    wait_for(lambda: started_and_stopped(work) != "good", 60, "a mirror that was stopped after it had begun")
    wait_for(lambda: work.status().target_data_state == "mirror_required", 30, "the word that one is required")
    between_bytes = work.status().mirror_bytes_sent
    assert between_bytes - before_bytes < 96 << 20
    work.act("start_mirror", options=schema.MirrorOptions(kind="full"))
    status = work.good()
    assert status.mirror_bytes_sent - between_bytes >= 96 << 20, "all of it again"
    assert same_files(work)


def started_and_stopped(work: Work) -> str:
    """What the target's data is after a mirror that was stopped at once; one that had not begun yet leaves it good."""
    work.act("start_mirror", options=schema.MirrorOptions(kind="full"))
    work.act("stop_mirror")
    return wait_for(
        lambda: (s := work.status()).mirror_state == "Idle" and s, 30, "the mirror to stop"
    ).target_data_state


def still(work: Work) -> int | None:
    """How many files the target has, once that stays so."""
    before = len(list(work.target.iterdir()))
    sent = work.status().mirror_bytes_sent
    threading.Event().wait(0.5)
    now = len(list(work.target.iterdir()))
    return now + 1 if now == before and work.status().mirror_bytes_sent == sent else None


def same_files(work: Work) -> bool:
    return {p.name: p.read_bytes() for p in work.source.iterdir()} == {
        p.name: p.read_bytes() for p in work.target.iterdir()
    }


@pytest.mark.covers("ENG-MIR-03")
def test_attributes_owners_acls_times_holes_and_links_are_mirrored(work):
    source = work.source
    (source / "deep").mkdir(mode=0o750)
    plain = source / "deep" / "plain"
    write(plain, b"x", EARLIER_S)
    os.utime(plain, ns=(EARLIER_S * 10**9, EARLIER_S * 10**9 + 123_456_789))
    os.setxattr(plain, "user.word", b"value")
    plain.chmod(0o4755)
    os.chown(source / "deep", 11, 12)
    acl = source / "acl"
    acl.write_text("shared")
    os.setxattr(acl, "system.posix_acl_access", access_list())
    with (source / "sparse").open("wb") as sparse:
        sparse.seek(64 << 20)
        sparse.write(b"end")
    (source / "soft").symlink_to("deep/plain")
    os.chown(source / "soft", 13, 14, follow_symlinks=False)
    (source / "hard").hardlink_to(plain)
    os.mkfifo(source / "pipe", 0o620)
    os.utime(source / "deep", (EARLIER_S, EARLIER_S))
    work.capture()
    work.connect()
    work.good()
    for path in source.rglob("*"):
        there = work.target / path.relative_to(source)
        assert looks(there) == looks(path), path
    assert (work.target / "hard").samefile(work.target / "deep" / "plain")
    assert os.getxattr(work.target / "acl", "system.posix_acl_access") == access_list()
    assert (work.target / "sparse").stat().st_blocks * 512 < 8 << 20, "holes stay holes"


def access_list() -> bytes:
    """u::rw-, u:1234:r--, g::r--, m::r--, o::--- as the kernel takes it (acl(5), linux/posix_acl_xattr.h)."""
    none = 0xFFFFFFFF
    entries = ((1, 6, none), (2, 4, 1234), (4, 4, none), (0x10, 4, none), (0x20, 0, none))
    return b"\2\0\0\0" + b"".join(
        tag.to_bytes(2, "little") + mode.to_bytes(2, "little") + who.to_bytes(4, "little") for tag, mode, who in entries
    )


def looks(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    is_link = stat.S_ISLNK(status.st_mode)
    attributes = {} if is_link else {name: os.getxattr(path, name) for name in os.listxattr(path)}
    content = os.readlink(path) if is_link else path.read_bytes() if path.is_file() else b""
    return (
        oct(status.st_mode),
        status.st_uid,
        status.st_gid,
        status.st_size if path.is_file() else 0,
        status.st_mtime_ns,
        attributes,
        content,
    )


@pytest.mark.covers("ENG-MIR-05")
def test_a_mirror_of_a_source_that_is_written_ends_identical(work):
    fill(work.source, 24)
    work.capture()
    stop = threading.Event()
    changes = 0

    def write_on() -> None:
        nonlocal changes
        chance = random.Random(9)
        while not stop.wait(0.002):
            path = work.source / f"file-{chance.randrange(24):03}"
            match chance.randrange(6):
                case 0:
                    other = work.source / f"file-{chance.randrange(24):03}"
                    if path.exists():
                        path.rename(other)
                case 1:
                    path.unlink(missing_ok=True)
                case _:
                    with path.open("r+b" if path.exists() else "wb") as file:
                        file.seek(chance.randrange(1 << 20))
                        file.write(chance.randbytes(5000))
            changes += 1

    writer = threading.Thread(target=write_on)
    writer.start()
    try:
        work.connect()
        wait_for(lambda: changes > 100, 60)
        during = changes
        work.good()
        wait_for(lambda: changes > during + 100, 60)
    finally:
        stop.set()
        writer.join()
    work.act("settle", timeout_s=60)
    assert same_files(work)
    assert subprocess.run(["diff", "-r", work.source, work.target], check=False).returncode == 0
    assert work.status().target_data_state == "good"


def test_a_mirror_cannot_be_told_anything_once_its_connection_is_gone(work):
    work.capture()
    work.connect()
    work.good()
    with work.alpha.local() as client:
        client.disconnect(work.key)
        with pytest.raises(AnswerRefused, match="no connection"):
            client.connection_action(work.key, "pause_mirror")


@pytest.mark.covers("ENG-VER-01", "ENG-VER-02")
def test_a_verification_tells_what_differs_and_sends_it_only_when_asked(work):
    for number in range(3):
        write(work.source / f"f{number}", NEW * 200_000, NOW_S)
    work.capture()
    work.connect()
    work.good()
    spoilt = bytearray(NEW * 200_000)
    spoilt[100_000] = 0
    write(work.target / "f1", bytes(spoilt), NOW_S)
    log = work.alpha.state / "verify" / "data DTVerify.log"

    work.act("verify")
    told = wait_for(lambda: ended(log, 1), 60, "the end of the verification")
    assert "--- Verification Start" in told
    assert "different f1 200000 bytes" in told
    assert "1 blocks of 64 KiB, at 65536" in told
    assert "files 3 same 2 different 1 orphans 0 errors 0" in told
    assert (work.target / "f1").read_bytes() == bytes(spoilt)
    assert work.good().target_data_state == "good"

    with work.alpha.local() as client:
        plan = client.plan_verify(work.key, VerifySchedule(interval_s=86_400, remirror=True))
        assert plan.due_ns is not None
    told = wait_for(lambda: ended(log, 2), 60, "the planned verification")
    assert told.count("different f1") == 2, "what it was before it was sent"
    work.good()
    assert (work.target / "f1").read_bytes() == NEW * 200_000
    with work.alpha.local() as client:
        assert client.verify_plan(work.key).last == "started"
        client.forget_verify_plan(work.key)
        with pytest.raises(AnswerRefused):
            client.verify_plan(work.key)


def ended(log: Path, times: int) -> str | None:
    """What the log says, once so many verifications have ended."""
    text = log.read_text() if log.exists() else ""
    return text if text.count("--- Verification End") == times else None


@pytest.mark.covers("ENG-MIR-04")
def test_orphans_are_dealt_with_by_hand_while_the_target_stays_good(work, tmp_path):
    write(work.source / "kept", NEW * 100, NOW_S)
    work.capture()
    work.connect()
    work.good()
    (work.target / "below").mkdir()
    write(work.target / "below" / "old", OLD * 300, EARLIER_S)
    (work.target / "young").write_bytes(OLD * 50)
    away = tmp_path / "away"

    def orphans(**policy: Any) -> Any:
        with work.alpha.local() as client:
            after = client.events()[-1].n
        work.act("remove_orphans", options=schema.MirrorOptions(orphans=schema.Orphans(**policy)))
        return wait_for(lambda: told(after), 60, "the end of it")

    def told(after: int) -> Any:
        with work.alpha.local() as client:
            found = [one for one in client.events(after) if one.kind == "mirror"]
        return found[0].facts if found else None

    def counts(details: Any) -> tuple[int, ...]:
        return details["orphan_files"], details["orphan_directories"], details["orphan_bytes"]

    assert counts(orphans(action="log")) == (2, 0, 350)
    assert (work.target / "below" / "old").exists()
    assert counts(orphans(action="move", move_to=str(away), older_than_s=600))[:1] == (1,)
    assert (away / "below" / "old").read_bytes() == OLD * 300
    assert (work.target / "young").exists()
    orphans(action="delete")
    assert sorted(os.listdir(work.target)) == ["kept"]
    assert work.good().target_data_state == "good"
    for wrong in ({"action": "ignore"}, {"action": "move", "move_to": str(work.target / "here")}):
        with pytest.raises(AnswerRefused):
            work.act("remove_orphans", options=schema.MirrorOptions(orphans=schema.Orphans(**wrong)))
    with pytest.raises(AnswerRefused, match="no orphans"):
        work.act("stop_orphans")
    assert "orphan moved: below/old" in work.beta.log.read_text()
    assert "orphans (delete): 1 files" in work.beta.log.read_text()
