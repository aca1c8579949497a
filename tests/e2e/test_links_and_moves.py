"""Soft links, hard links and moves: chapter 4 of the Linux guide as cases (tests/cases/links), on two real engines.

One protected directory for all cases: ``in`` belongs to the replication set, ``out`` is captured but does not. A second one has RemapLink
off. What the cases have before is mirrored; what they do is replicated; then the target must be what the case says, and all of it what
the source has.
"""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.engine.client import schema
from tests.e2e.conftest import wait_for

CASES = Path(__file__).parent.parent / "cases" / "links"


def cases(name: str) -> list[Any]:
    found = yaml.safe_load((CASES / f"{name}.yaml").read_text(encoding="utf-8"))
    return [pytest.param({**case, "place": f"{name}-{case['name']}"}, id=case["name"]) for case in found]


@dataclass
class Side:
    """A protected directory with its replica."""

    engine: Any
    source: Path
    target: Path
    key: str = ""
    remap: bool = True

    def run(self, case: dict[str, Any], script: str) -> None:
        environment = {**os.environ, "S": str(self.source), "T": str(self.target), "C": case["place"]}
        done = subprocess.run(
            ["sh", "-ec", script], cwd=self.source, env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"{case['name']}: {done.stderr}"

    def connect(self, name: str, rules: list[schema.Rule], *, ignore_deletes: bool = False) -> None:
        with self.engine.local() as client:
            client.create_replication_set(schema.ReplicationSet(name=name, root=str(self.source), rules=rules))
            mapping = schema.Mapping(kind="custom", target_root=str(self.target))
            request = schema.ConnectionRequest(
                replication_set=name,
                target="beta",
                mapping=mapping,
                remap_link=self.remap,
                ignore_deletes=ignore_deletes,
            )
            self.key = client.connect(request).key

    def good(self) -> bool:
        with self.engine.local() as client:
            status = client.connection(self.key)
        return bool(status.state == "Started" and status.target_data_state == "good")

    def settle(self) -> None:
        wait_for(self.good, 90, "a good replica")
        with self.engine.local(timeout_s=90) as client:
            client.connection_action(self.key, "settle", timeout_s=60)

    def translated(self, link: str) -> str:
        root = str(self.source / "in")
        inside = os.path.normpath(link) == root or os.path.normpath(link).startswith(root + "/")
        return link.replace(str(self.source), str(self.target), 1) if self.remap and inside else link

    def differences(self, case: dict[str, Any]) -> list[str]:
        wanted = tree(self.source / "in" / case["place"], self.translated)
        found = tree(self.target / "in" / case["place"], str)
        return [
            f"{path}: {found.get(path)} instead of {wanted.get(path)}"
            for path in sorted({*wanted, *found})
            if wanted.get(path) != found.get(path)
        ]

    def assert_as_said(self, case: dict[str, Any]) -> None:
        self.settle()
        wait_for(lambda: not self.differences(case) or None, 45, f"{case['name']}: {self.differences(case)}")
        place = self.target / "in" / case["place"]
        for name, said in case["expect"].items():
            assert shown(place / name) == self.meant(case, said), name
        for name, said in case.get("modes", {}).items():
            status = (place / name).lstat()
            assert f"0{stat.S_IMODE(status.st_mode):o} {status.st_uid}:{status.st_gid}" == said, name
        for names in case.get("same", []):
            assert len({(place / name).lstat().st_ino for name in names}) == 1, names
            assert (place / names[0]).lstat().st_nlink == len(names), names

    def meant(self, case: dict[str, Any], said: str | None) -> str | None:
        if said is None:
            return None
        target = str(self.target if self.remap else self.source)
        return said.replace("$T", target).replace("$S", str(self.source)).replace("$C", case["place"])


def shown(path: Path) -> str | None:
    if not os.path.lexists(path):
        return None
    if path.is_symlink():
        return f"-> {path.readlink()}"
    return "dir" if path.is_dir() else path.read_text().rstrip("\n")


def tree(root: Path, link: Callable[[str], str]) -> dict[str, tuple[object, ...]]:
    """Everything below, each file with all the names it has here."""
    seen: dict[str, tuple[object, ...]] = {}
    names: dict[tuple[int, int], list[str]] = {}
    for directory, below, files in os.walk(root):
        for name in [*below, *files]:
            path = Path(directory, name)
            status = path.lstat()
            key = str(path.relative_to(root))
            content = link(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
            group = names.setdefault((status.st_dev, status.st_ino), [])
            group.append(key)
            seen[key] = (oct(status.st_mode), status.st_uid, status.st_gid, content, group)
    return {key: (*value[:-1], sorted(value[-1])) for key, value in seen.items()}  # type: ignore[call-overload]


@pytest.fixture(scope="module")
def both_sides(module_engines) -> dict[bool, Side]:
    """RemapLink on (with rules) and off (everything), all cases' beginnings mirrored."""
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    base = module_engines.directory
    sides = {}
    for remap in (True, False):
        word = "remapped" if remap else "kept"
        side = Side(alpha, base / f"{word}-source", base / f"{word}-target", remap=remap)
        for part in ("in", "out"):
            (side.source / part).mkdir(parents=True)
        with alpha.local() as client:
            client.mount(schema.MountRequest(path=str(side.source), capture="fuse"))
        for name in ("soft_links", "hard_links", "moves") if remap else ("soft_links",):
            for case in cases(name):
                side.run(case.values[0], case.values[0]["before"])
        side.connect(word, [schema.Rule(path="in")])
        sides[remap] = side
    for side in sides.values():
        side.settle()
    return sides


@pytest.fixture
def sides(request, needs) -> dict[bool, Side]:
    needs("fuse")
    return request.getfixturevalue("both_sides")


@pytest.mark.covers("ENG-CAP-03")
@pytest.mark.parametrize("remap", [True, False], ids=["RemapLink", "kept"])
@pytest.mark.parametrize("case", cases("soft_links"))
def test_soft_links(sides, case, remap):
    side = sides[remap]
    assert side.differences(case) == [], "after the mirror"
    side.run(case, case["do"])
    side.assert_as_said(case)


@pytest.mark.covers("ENG-CAP-04")
@pytest.mark.parametrize("case", cases("hard_links"))
def test_hard_links(sides, case):
    assert sides[True].differences(case) == [], "after the mirror"
    sides[True].run(case, case.get("do", ""))
    sides[True].assert_as_said(case)


@pytest.mark.covers("ENG-CAP-05")
@pytest.mark.parametrize("case", cases("moves"))
def test_moves(sides, case):
    sides[True].run(case, case["do"])
    sides[True].assert_as_said(case)


@pytest.mark.covers("ENG-CAP-05")
def test_the_root_of_a_captured_set_cannot_be_renamed(sides):
    source = sides[True].source
    with pytest.raises(OSError, match="busy"):
        source.rename(source.with_name("renamed"))
    sides[True].settle()
    assert (sides[True].target / "in").is_dir()


@pytest.fixture
def own_side(module_engines, needs, tmp_path) -> Callable[..., Side]:
    """A protected directory of a test's own, reached by a path with a soft link in it; ``way/deep`` belongs to its set."""
    needs("fuse")
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)

    def make(capture: str = "fuse") -> Side:
        (tmp_path / "real" / "data" / "out").mkdir(parents=True)
        (tmp_path / "link").symlink_to("real")
        side = Side(alpha, tmp_path / "link" / "data", tmp_path / "there" / "link" / "data", remap=False)
        with alpha.local() as client:
            client.mount(schema.MountRequest(path=str(side.source), capture=capture))
        return side

    return make


@pytest.mark.covers("ENG-CAP-03")
def test_a_soft_link_above_the_data_is_a_directory_on_the_target(own_side):
    side = own_side()
    (side.source / "file").write_text("data")
    side.connect("above", [schema.Rule()])
    side.settle()
    assert (side.target / "file").read_text() == "data"
    assert not side.target.parent.is_symlink()
    (side.source / "later").write_text("more")
    side.settle()
    assert (side.target / "later").read_text() == "more"


@pytest.mark.covers("ENG-CAP-01")
def test_the_way_to_what_is_selected_is_made_on_the_target(own_side):
    side = own_side()
    side.connect("way", [schema.Rule(path="way/deep")])
    side.settle()
    (side.source / "way" / "deep").mkdir(parents=True)
    (side.source / "way" / "deep" / "file").write_text("data")
    (side.source / "way" / "left-out").write_text("x")
    side.settle()
    wait_for((side.target / "way" / "deep" / "file").exists, 30, "the file")
    (side.source / "way").rename(side.source / "out" / "way")
    side.settle()
    wait_for(lambda: not (side.target / "way" / "deep").exists(), 30, "its removal")
    (side.source / "out" / "way").rename(side.source / "way")
    side.settle()
    wait_for((side.target / "way" / "deep" / "file").exists, 30, "its return")
    assert not (side.target / "way" / "left-out").exists()
    with side.engine.local() as client:
        said = [event.sentence for event in client.events()]
    assert not [sentence for sentence in said if "way is mirrored again" in sentence], "nothing was missed"


@pytest.mark.covers("ENG-CAP-03")
def test_a_restore_gives_links_their_original_places(module_engines, needs, tmp_path):
    needs("fuse")
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    side = Side(alpha, tmp_path / "source", tmp_path / "target")
    side.source.mkdir()
    (side.source / "in").mkdir()
    (side.source / "first").symlink_to(side.source / "in")
    with alpha.local() as client:
        client.mount(schema.MountRequest(path=str(side.source)))
    side.connect("data", [schema.Rule()])
    side.settle()
    assert (side.target / "first").readlink() == side.target / "in"
    with beta.local() as there, alpha.local() as here:
        (replica,) = [one for one in there.replicas() if one.target_root == str(side.target)]
        there.replica_action(replica.key, "promote", epoch=1)
        (side.target / "second").symlink_to(side.target / "in")
        here.disconnect(side.key)
        here.unmount(str(side.source))
        there.create_replication_set(schema.ReplicationSet(name="data", root=str(side.target)))
        back = there.connect(
            schema.ConnectionRequest(
                replication_set="data",
                target="alpha",
                mapping=schema.Mapping(kind="custom", target_root=str(side.source)),
                purpose="restore",
                mirror=schema.MirrorOptions(kind="difference", checksum=True),
                epoch=1,
            )
        )
        wait_for(lambda: there.connection(back.key).target_data_state == "good", 60, "a restored source")
        (side.target / "third").symlink_to(side.target / "in")
        there.connection_action(back.key, "settle")
        there.disconnect(back.key)
        there.unmount(str(side.target))
    for name in ("first", "second", "third"):
        assert (side.source / name).readlink() == side.source / "in", name


@pytest.mark.covers("ENG-CAP-11")
def test_deletions_are_ignored_by_choice(own_side):
    side = own_side()
    (side.source / "dir").mkdir()
    for name in ("mirrored", "dir/inside"):
        (side.source / name).write_text("kept")
    side.connect("ignoring", [schema.Rule()], ignore_deletes=True)
    side.settle()
    (side.source / "later").write_text("kept, too")
    (side.source / "later").unlink()
    shutil.rmtree(side.source / "dir")
    (side.source / "mirrored").unlink()
    side.settle()
    assert {name: shown(side.target / name) for name in ("mirrored", "dir/inside", "later")} == {
        "mirrored": "kept",
        "dir/inside": "kept",
        "later": "kept, too",
    }
    (side.source / "mirrored").write_text("anew")
    (side.source / "dir").write_text("a file now")
    (side.source / "new").mkdir()
    (side.source / "new").rename(side.source / "later")
    side.settle()
    assert [shown(side.target / name) for name in ("mirrored", "dir", "later")] == ["anew", "a file now", "dir"]
    with side.engine.local() as client:
        options = schema.MirrorOptions(kind="difference", checksum=True)
        client.connection_action(side.key, "start_mirror", options=options)
        said = [event.sentence for event in client.events()]
    side.settle()
    assert not [sentence for sentence in said if "ignoring is mirrored again" in sentence], "nothing was missed"


@pytest.mark.covers("ENG-CAP-01")
def test_names_that_are_no_text_travel_and_can_be_told(sides):
    side = sides[False]
    name = os.fsdecode(b'caf\xe9 \xff\n\t"quoted" \\ end')
    deep = side.source / "in" / name / name
    deep.parent.mkdir()
    deep.write_text("data")
    os.setxattr(deep, "user.name", b"\xff\x00")
    (side.source / "in" / "second").symlink_to(name)
    side.settle()
    there = side.target / "in" / name / name
    assert there.read_text() == "data"
    assert os.getxattr(there, "user.name") == b"\xff\x00"
    assert os.readlink(side.target / "in" / "second") == name
    with side.engine.local() as client:
        client.connection_action(side.key, "start_mirror", options=schema.MirrorOptions(kind="full"))
        side.settle()
        assert client.connection(side.key).state == "Started"
        assert client.events()


@pytest.mark.covers("ENG-CAP-01")
def test_times_of_directories_are_the_same_on_the_target(sides):
    side = sides[False]
    (side.source / "in" / "dir" / "deep").mkdir(parents=True)
    (side.source / "in" / "dir" / "file").write_text("data")
    (side.source / "in" / "dir" / "file").rename(side.source / "in" / "dir" / "deep" / "file")

    def times(root: Path) -> list[int]:
        return [(root / "in" / name).stat().st_mtime_ns for name in ("", "dir", "dir/deep")]

    wait_for((side.target / "in" / "dir" / "deep").exists, 60, "the directory")
    wait_for(lambda: times(side.target) == times(side.source), 60, "the same times")


@pytest.mark.covers("ENG-RS-03")
def test_paths_that_are_too_long_are_left_out_and_told(sides):
    side, name = sides[False], "d" * 200
    lower = next(path for path in _lower_paths(side))
    place = os.open(lower / "in", os.O_RDONLY)
    for _ in range(21):
        os.mkdir(name, dir_fd=place)
        below = os.open(name, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    with side.engine.local() as client:
        client.connection_action(side.key, "start_mirror", options=schema.MirrorOptions(kind="difference"))
        said = wait_for(
            lambda: [event.sentence for event in client.events() if "left out" in event.sentence], 60, "an alert"
        )
    assert f"more than {4095}" in said[0]
    assert said[0].startswith("a mirror of kept left out in/ddd")
    side.settle()


def _lower_paths(side):
    with side.engine.local() as client:
        pids = [mount.pid for mount in client.mounts() if mount.path == str(side.source)]
    for pid in pids:
        for fd in Path(f"/proc/{pid}/fd").iterdir():
            if os.path.isdir(fd) and os.path.lexists(fd / "in") and os.readlink(fd) == str(side.source):
                yield fd
