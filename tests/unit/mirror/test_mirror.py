"""One mirror at a time, on a source that keeps still."""

from __future__ import annotations

import os
import stat
import subprocess
import time
from pathlib import Path

import pytest

from orchestrator.engine.mirror.errors import SetConflict
from orchestrator.engine.mirror.mapping import MappingKind, RemapLink, TargetMapping
from orchestrator.engine.mirror.messages import Data, End, Files, Stop, decode_message, encode
from orchestrator.engine.mirror.options import MirrorKind, MirrorOptions, OrphanAction, OrphanPolicy
from orchestrator.engine.mirror.rules import Rule, RuleSet
from orchestrator.engine.mirror.size import calculate_size, calculate_size_unless
from orchestrator.engine.mirror.source import MirrorSource
from orchestrator.engine.mirror.target import MirrorTarget
from tests.unit.mirror.loopback import exchange, mirror, picture

DIFFERENCE = MirrorOptions(MirrorKind.DIFFERENCE)


@pytest.fixture
def places(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    return source, target


def plant(source: Path) -> None:
    (source / "docs/deep").mkdir(parents=True)
    for number in range(30):
        (source / f"docs/f{number}").write_bytes(os.urandom(number * 100))
    (source / "docs/deep/big").write_bytes(os.urandom(3_000_000))
    (source / "link").symlink_to("docs/f1")
    os.link(source / "docs/f2", source / "docs/deep/f2-too")


@pytest.mark.covers("ENG-MIR-01")
def test_a_full_mirror_and_then_nothing_to_send(places):
    source, target = places
    plant(source)
    mirror(source, target)
    assert picture(target) == picture(source)
    later = time.time_ns() + 60_000_000_000  # files with several names that changed a moment ago are sent
    begin, _ = mirror(source, target, DIFFERENCE, now_ns=lambda: later)
    assert begin.progress.sent_bytes == 0
    assert begin.progress.files_different == 0
    assert begin.progress.files_compared == 32


@pytest.mark.covers("ENG-MIR-03")
def test_names_that_are_files_of_their_own_at_the_target_become_one(places):
    """A tree that was copied there without its links has the right content, size and time under every name."""
    source, target = places
    plant(source)
    subprocess.run(["cp", "-a", "--no-preserve=links", f"{source}/.", target], check=True)
    mirror(source, target, DIFFERENCE)
    assert picture(target) == picture(source)


@pytest.mark.covers("ENG-MIR-03")
def test_holes_stay_holes(places):
    source, target = places
    with (source / "sparse").open("wb") as file:
        file.seek(50 << 20)
        file.write(b"x" * 5000)
        file.truncate(80 << 20)
    _, sent = mirror(source, target)
    assert sum(len(message.data) for message in sent if isinstance(message, Data)) <= 16_384
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (target / "sparse").stat().st_blocks <= (source / "sparse").stat().st_blocks + 16
    (target / "sparse").write_bytes(b"\1" * (80 << 20))
    mirror(source, target, MirrorOptions(MirrorKind.DIFFERENCE, checksum=True))
    assert (target / "sparse").read_bytes() == (source / "sparse").read_bytes()
    assert (target / "sparse").stat().st_blocks * 512 < 8 << 20


@pytest.mark.covers("ENG-MIR-03")
def test_acls_owners_and_devices(places, needs):
    needs("root")
    source, target = places
    acl = bytes.fromhex("0200000001000600ffffffff02000600e803000004000400ffffffff10000600ffffffff20000400ffffffff")
    (source / "f").write_bytes(b"x")
    os.setxattr(source / "f", "system.posix_acl_access", acl)
    os.chown(source / "f", 1234, 4321)
    os.mknod(source / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (source / "d").mkdir()
    os.setxattr(source / "d", "system.posix_acl_default", acl)
    (source / "d/plain").write_bytes(b"y")
    os.removexattr(source / "d/plain", "system.posix_acl_access")
    mirror(source, target)
    assert picture(target) == picture(source)
    (source / "d/later").write_bytes(b"y")
    os.removexattr(source / "d/later", "system.posix_acl_access")
    mirror(source, target, DIFFERENCE)
    assert picture(target) == picture(source)


def test_only_attributes_differ_so_no_data_travels(places):
    source, target = places
    (source / "f").write_bytes(b"x" * 100_000)
    mirror(source, target)
    (source / "f").chmod(0o640)
    os.setxattr(source / "f", "user.note", b"1")
    begin, _ = mirror(source, target, DIFFERENCE)
    assert picture(target) == picture(source)
    assert begin.progress.sent_bytes == 0


@pytest.mark.covers("ENG-MIR-02")
def test_a_paused_mirror_goes_on_where_it_was(places):
    source, target = places
    plant(source)
    begin, end = MirrorSource(source, RuleSet(), MirrorOptions()), MirrorTarget(target)
    for message in begin.next_messages(50_000):
        for reply in end.handle(decode_message(encode(message))):
            begin.on_reply(reply)
    sent_before = begin.progress.sent_bytes
    begin.pause()
    assert begin.next_messages() == []
    begin.resume()
    exchange(begin, end)
    assert picture(target) == picture(source)
    assert 0 < sent_before < begin.progress.sent_bytes
    assert begin.progress.sent_bytes < 3_100_000 + 2 * 200


@pytest.mark.covers("ENG-MIR-02")
def test_a_stopped_mirror_says_so_and_another_starts_over(places):
    source, target = places
    plant(source)
    begin, end = MirrorSource(source, RuleSet(), MirrorOptions()), MirrorTarget(target)
    for message in begin.next_messages(500_000):
        end.handle(decode_message(encode(message)))
    begin.stop()
    last = begin.next_messages()
    assert [type(message) for message in last] == [Stop]
    end.handle(last[0])
    assert begin.finished
    assert not end.begun
    assert not end.ended
    again, sent = mirror(source, target)
    assert picture(target) == picture(source)
    assert again.progress.sent_bytes > 3_000_000
    assert isinstance(sent[-1], End)


@pytest.mark.covers("ENG-RS-07")
def test_percent_is_told_when_the_size_was_calculated(places):
    source, target = places
    plant(source)
    totals = calculate_size(source, RuleSet())
    begin, _ = mirror(source, target, totals=totals)
    assert begin.progress.percent == pytest.approx(100.0)
    without, _ = mirror(source, target)
    assert without.progress.percent is None
    without.progress.complete()
    assert (without.progress.total_files, without.progress.total_bytes) == totals
    assert without.progress.percent == pytest.approx(100.0)
    assert calculate_size_unless(lambda: True, source, RuleSet()) is None


@pytest.mark.covers("ENG-MIR-04")
@pytest.mark.parametrize("action", ["ignore", "log", "delete", "move"])
def test_orphans(places, tmp_path, action):
    source, target = places
    (source / "kept").write_bytes(b"k")
    (target / "old/dir").mkdir(parents=True)
    (target / "old/dir/orphan").write_bytes(b"12345")
    said: list[str] = []
    end = MirrorTarget(target, log=said.append)
    policy = OrphanPolicy(OrphanAction(action), move_to=str(tmp_path / "orphans"))
    begin = MirrorSource(source, RuleSet(), MirrorOptions(orphans=policy))
    exchange(begin, end)
    assert (target / "old/dir/orphan").exists() == (action in {"ignore", "log"})
    counted = (begin.progress.orphan_files, begin.progress.orphan_bytes)
    assert counted == ((0, 0) if action == "ignore" else (1, 5))
    assert (tmp_path / "orphans/old/dir/orphan").exists() == (action == "move")
    assert any("old/dir/orphan" in line for line in said) == (action != "ignore")
    assert any("1 files" in line and "5 bytes" in line for line in said) == (action != "ignore")


@pytest.mark.covers("ENG-MIR-04")
def test_a_moved_orphan_is_no_longer_one_file_with_the_names_that_stay(places, tmp_path):
    source, target = places
    (source / "stays").write_bytes(b"as it is")
    (target / "stays").write_bytes(b"as it was")
    os.link(target / "stays", target / "orphan")
    policy = OrphanPolicy(OrphanAction.MOVE, move_to=str(tmp_path / "orphans"))
    checksum = MirrorOptions(MirrorKind.DIFFERENCE, checksum=True, orphans=policy)
    exchange(MirrorSource(source, RuleSet(), checksum), MirrorTarget(target))
    assert (target / "stays").read_bytes() == b"as it is"
    assert (target / "stays").stat().st_nlink == 1
    assert (tmp_path / "orphans/orphan").stat().st_nlink == 1


@pytest.mark.covers("ENG-MIR-04")
def test_only_orphans_older_than_the_period_go(places):
    source, target = places
    for name, age_s in [("young", 10), ("old", 5000)]:
        (target / name).write_bytes(b"x")
        os.utime(target / name, (1_000_000_000 - age_s, 1_000_000_000 - age_s))
    end = MirrorTarget(target, now_s=lambda: 1_000_000_000.0)
    options = MirrorOptions(orphans=OrphanPolicy(OrphanAction.DELETE, older_than_s=3600))
    exchange(MirrorSource(source, RuleSet(), options), end)
    assert sorted(os.listdir(target)) == ["young"]


@pytest.mark.covers("ENG-RS-01")
def test_what_the_rules_leave_out_does_not_travel_and_is_no_orphan(places):
    source, target = places
    plant(source)
    (source / "cache").mkdir()
    (source / "cache/x").write_bytes(b"x")
    (target / "cache").mkdir()
    (target / "cache/mine").write_bytes(b"y")
    rules = [Rule(), Rule("cache", include=False), Rule("docs/*9", include=False)]
    mirror(source, target, MirrorOptions(orphans=OrphanPolicy(OrphanAction.DELETE)), rules)
    assert os.listdir(target / "cache") == ["mine"]
    assert not (target / "docs/f9").exists()
    assert not (target / "docs/f19").exists()
    assert (target / "docs/f8").exists()


@pytest.mark.covers("ENG-RS-03")
def test_long_paths_travel_and_longer_ones_are_skipped_and_told(places):
    source, target = places
    part = "d" * 200
    fd = os.open(source, os.O_RDONLY)
    for _ in range(20):
        os.mkdir(part, dir_fd=fd)
        following = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = following
    for name in ["f" * 70, "g" * 80]:
        os.close(os.open(name, os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    os.close(fd)
    observer = Heard()
    mirror(source, target, observer=observer)
    told = [len(path) for path, why in observer.troubles if "4095" in why]
    assert told == [20 * 201 + 80]
    fd = os.open(target, os.O_RDONLY)
    for _ in range(20):
        following = os.open(part, os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = following
    assert os.listdir(fd) == ["f" * 70]
    os.close(fd)


def test_a_symbolic_link_at_the_target_leads_nobody_outside(places, tmp_path):
    source, target = places
    outside = tmp_path / "outside"
    outside.mkdir()
    (source / "d").mkdir()
    (source / "d/f").write_bytes(b"secret")
    (target / "d").symlink_to(outside)
    mirror(source, target)
    assert os.listdir(outside) == []
    assert (target / "d/f").read_bytes() == b"secret"


def test_many_small_files_share_a_message(places):
    source, target = places
    for number in range(500):
        (source / f"f{number}").write_bytes(b"x" * 1000)
    _, sent = mirror(source, target)
    assert sum(isinstance(message, Files) for message in sent) <= 4


@pytest.mark.covers("ENG-CN-01")
def test_mappings():
    assert TargetMapping().locate("/var/data") == "/var/data"
    all_to_one = TargetMapping(MappingKind.ALL_TO_ONE, "/replicas")
    assert all_to_one.locate("/var/data", "alpha", "set1") == "/replicas/alpha/set1/var/data"
    custom = TargetMapping(MappingKind.CUSTOM, pairs=(("/var", "/mnt/v"), ("/var/data", "/mnt/d")))
    assert custom.locate("/var/data/x") == "/mnt/d/x"
    assert custom.locate("/var/log") == "/mnt/v/log"
    with pytest.raises(SetConflict, match="no mapping says where /usr goes"):
        custom.locate("/usr")


@pytest.mark.covers("ENG-CN-01")
def test_links_into_the_set_point_into_the_replica(places):
    source, target = places
    (source / "data").mkdir()
    root = os.fsencode(source)
    for name, link in [(b"in", root + b"/data/x"), (b"out", b"/etc/hosts"), (b"relative", b"data/x"), (b"root", root)]:
        os.symlink(link, root + b"/" + name)
    remap = RemapLink(root, b"/replica", RuleSet())
    mirror(source, target, remap=remap)
    links = {name: os.readlink(target / name) for name in ("in", "out", "relative", "root")}
    assert links == {"in": "/replica/data/x", "out": "/etc/hosts", "relative": "data/x", "root": "/replica"}
    assert remap.reversed().remap(b"/replica/data/x") == root + b"/data/x"
    assert RemapLink(root, b"/replica", RuleSet(), enabled=False).remap(root + b"/data") == root + b"/data"


class Heard:
    """Remembers what an observer is told."""

    hears_same = False

    def __init__(self) -> None:
        self.troubles: list[tuple[bytes, str]] = []

    def same(self, path, size):
        pass

    def different(self, path, size, why, blocks, block_count):
        pass

    def orphan(self, path):
        pass

    def trouble(self, path, why):
        self.troubles.append((path, why))
