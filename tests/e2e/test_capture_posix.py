"""A captured directory behaves as the bare one does, and replaying its log gives exactly what it has become.

Each case is a few operations. It is run on the mount and on a bare directory; both trees must be equal, and so must the tree that
the log spells when it is replayed elsewhere.
"""

from __future__ import annotations

import errno
import os
import tempfile

import pytest

from orchestrator.engine.capture.state import Wish
from orchestrator.engine.oplog.format import Kind, UtimensFlag
from tests.e2e import posix_content, posix_names, posix_owners, posix_races
from tests.e2e.posix_names import descend
from tests.unit.capture.captured import Captured, assert_replay_is_true, differences, open_directory, tree

CASES = [*posix_content.CASES, *posix_names.CASES, *posix_owners.CASES]


@pytest.fixture(autouse=True)
def usual_umask():
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.fixture
def captured(needs):
    needs("fuse")
    with open_directory() as base, Captured(base) as captured:
        yield captured


@pytest.mark.covers("ENG-CAP-01")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_behaves_as_the_bare_directory_and_the_log_says_so(captured: Captured, case) -> None:
    bare = captured.base / "bare"
    bare.mkdir()
    case(bare)
    case(captured.path)
    assert not differences(tree(bare, times=False), tree(captured.path, times=False))
    assert_replay_is_true(captured)
    captured.mount.stop()


@pytest.mark.covers("ENG-CAP-01")
@pytest.mark.parametrize("race", posix_races.CASES, ids=lambda race: race.__name__)
def test_whatever_many_threads_do_the_log_says(captured: Captured, race) -> None:
    race(captured.path)
    assert_replay_is_true(captured)


@pytest.mark.covers("ENG-CAP-01")
def test_times_of_directories_are_logged_once_they_have_come_to_rest(captured: Captured) -> None:
    (captured.path / "one").mkdir()
    for number in range(300):
        (captured.path / "one" / str(number)).touch()
    os.rename(captured.path / "one" / "7", captured.path / "seven")
    captured.settle()
    logged = {op.path: op.b for op in captured.operations() if op.kind is Kind.UTIMENS}
    for path in (b"", b"one"):
        assert logged[path] == os.stat(os.path.join(os.fsencode(captured.path), path)).st_mtime_ns
    assert sum(op.kind is Kind.UTIMENS and op.path == b"one" for op in captured.operations()) < 100
    captured.mount.stop()


@pytest.mark.covers("ENG-CAP-06")
def test_when_files_are_read_is_logged_by_wish_only(captured: Captured) -> None:
    (captured.lower() / "f").write_bytes(b"x" * 5000)
    os.utime(captured.lower() / "f", (1, 1))
    logged = []
    for wish in (0, Wish.ACCESS_TIMES):
        captured.mount.state.wishes = wish
        with (captured.path / "f").open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
            file.read()
        captured.settle()
        os.utime(captured.lower() / "f", (1, 1))
        logged.append([op.flags for op in captured.operations() if op.path == b"f"])
    assert logged == [[], [UtimensFlag.MTIME_OMITTED]]


def test_nameless_temporary_files_are_refused_as_a_file_system_without_them_does(captured: Captured) -> None:
    """Programs fall back to a name; kernels that offer them ask libfuse, which does not know them yet."""
    with pytest.raises(OSError) as refusal:
        os.open(captured.path, os.O_TMPFILE | os.O_RDWR, 0o600)
    assert refusal.value.errno == errno.EOPNOTSUPP
    with tempfile.TemporaryFile(dir=captured.path) as file:
        file.write(b"falls back")


def test_paths_over_4095_bytes_are_refused_not_lost(captured: Captured) -> None:
    with pytest.raises(OSError) as refusal:
        descend(captured.path, 20)
    assert refusal.value.errno == errno.ENAMETOOLONG
    assert not captured.mount.state.out_of_step
