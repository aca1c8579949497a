"""What every test may ask for, and how a machine that lacks something says so.

``needs("fuse")`` skips a test with the reason; under CI=true a skip of that kind is a failure, because CI promises to run all.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def _fuse_missing() -> str:
    if not os.path.exists("/dev/fuse"):
        return "no /dev/fuse"
    if os.geteuid() != 0:
        return "mounting needs root here"
    if shutil.which("gcc") is None or shutil.which("fusermount3") is None:
        return "gcc and fuse3 are not installed"
    return ""


def _program_missing(*names: str) -> str:
    absent = [name for name in names if shutil.which(name) is None]
    return f"not installed: {', '.join(absent)}" if absent else ""


def _postgres_missing() -> str:
    if os.geteuid() != 0:
        return "PostgreSQL is started as its own user, which needs root here"
    found = any(os.path.exists(f"/usr/lib/postgresql/{version}/bin/postgres") for version in range(13, 20))
    return "" if found else "PostgreSQL is not installed"


def _lab_missing() -> str:
    if os.geteuid() != 0:
        return "the lab's namespaces need root"
    return _program_missing(
        "samba", "samba-tool", "smbd", "winbindd", "named", "kinit", "smbclient", "nft", "nsenter", "setpriv"
    )


def _odbc_missing() -> str:
    if find_spec("pyodbc") is None or find_spec("mssql_python_odbc") is None:
        return "not installed: pyodbc, mssql-python-odbc"
    places = {"tdsodbc": "*/odbc/libtdsodbc.so", "libodbc2": "*/libodbc.so.2"}
    missing = [name for name, place in places.items() if not any(Path("/usr/lib").glob(place))]
    return f"not installed: {', '.join(missing)}" if missing else ""


def _loop_missing() -> str:
    if os.geteuid() != 0 or not os.path.exists("/dev/loop-control"):
        return "loop devices need root and /dev/loop-control"
    return _program_missing("losetup", "mkfs.ext4")


def _systemd_missing() -> str:
    return _program_missing("/lib/systemd/systemd", "systemctl", "unshare", "nsenter", "ip")


def _volumes_missing() -> str:
    if os.geteuid() != 0:
        return "mounting needs root here"
    return _program_missing("mkfs.btrfs", "mkfs.xfs", "mount")


PROBES: dict[str, Callable[[], str]] = {
    "root": lambda: "" if os.geteuid() == 0 else "needs root",
    "fuse": _fuse_missing,
    "postgresql": _postgres_missing,
    "compiler": lambda: _program_missing("gcc"),
    "sqlite3": lambda: _program_missing("sqlite3"),
    "bind": lambda: _program_missing("named"),
    "shellcheck": lambda: _program_missing("shellcheck"),
    "lab": _lab_missing,
    "volumes": _volumes_missing,
    "rsync": lambda: _program_missing("rsync"),
    "samba": lambda: _program_missing("smbd", "testparm", "net", "sharesec", "smbclient", "winbindd"),
    "sshd": lambda: _program_missing("/usr/sbin/sshd", "ssh", "ssh-keygen", "unshare", "nsenter"),
    "loop": _loop_missing,
    "odbc": _odbc_missing,
    "systemd": _systemd_missing,
    "systemd-analyze": lambda: _program_missing("systemd-analyze"),
    "dpkg-deb": lambda: _program_missing("dpkg-deb"),
    "stunnel": lambda: _program_missing("stunnel", "openssl"),
}


@pytest.fixture(scope="session", autouse=True)
def _queues_in_memory_leave_nothing() -> Iterator[None]:
    """Engines of tests keep their queues in a tmpfs directory of this session, which is removed with it."""
    shm = Path("/dev/shm")
    with tempfile.TemporaryDirectory(
        prefix="dtam-tests-", dir=shm if os.access(shm, os.W_OK) else None, ignore_cleanup_errors=True
    ) as directory:
        os.environ["DTAM_MEMORY_DIRECTORY"] = directory
        yield
        del os.environ["DTAM_MEMORY_DIRECTORY"]


@pytest.fixture
def in_memory() -> Iterator[Path]:
    """A directory where files cost no disk, for what loses no power: a killed process leaves them all the same."""
    with tempfile.TemporaryDirectory(dir=os.environ["DTAM_MEMORY_DIRECTORY"]) as directory:
        yield Path(directory)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Tests of one file share what they set up; those of the lab share one lab. Each of these stays in one of the test processes."""
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            file = nodeid.partition("::")[0]
            return "tests/lab" if file.startswith("tests/lab/") else file

    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def _children_can_be_ended() -> None:
    """Who started the tests may have had signals ignored (nohup, a CI runner); programs that tests start must not inherit that."""
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def require(*names: str) -> None:
    """Skip the test that asks for what is not there, or fail it where CI promised to have it."""
    for name in names:
        reason = PROBES[name]()
        if reason and os.environ.get("CI") == "true":
            pytest.fail(f"CI must have what this test needs: {reason}")
        if reason:
            pytest.skip(reason)


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Say what a test needs; the test is skipped with the reason, or fails where CI promised to have it."""
    return require
