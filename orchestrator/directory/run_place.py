"""Where ticket caches, and what libkrb5 is told of realms, lie while a process runs: a directory of its own below the state, mode 0700.

It goes when the process ends. A process that was killed leaves its own behind; the next one that needs a place removes every one whose
lock nobody holds any more. State: ``_Own``, guarded by ``_LOCK``.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_LOCK = threading.Lock()
_PREFIX = "run-"


class _Own:
    """This process's directory, whose it is (a fork needs one of its own), and the handle of its lock."""

    path: Path | None = None
    pid: int = 0
    lock: int = -1


def new_directory(prefix: str) -> Path:
    """A new directory of mode 0700 for this process."""
    return Path(tempfile.mkdtemp(prefix=prefix, dir=run_place()))


def run_place() -> Path:
    """The directory of this process, made when it is first asked for."""
    with _LOCK:
        if _Own.path is None or _Own.pid != os.getpid() or not _Own.path.is_dir():
            _Own.path, _Own.lock = _made()
            _Own.pid = os.getpid()
            atexit.register(_remove, _Own.path, _Own.pid)
        return _Own.path


def state_directory() -> Path:
    """The state of whoever runs: that of an engine's script, of dtam, or where it usually is."""
    given = os.environ.get("DTENGINE_STATE") or os.environ.get("DTAM_HOME")
    usual = Path("/var/lib/dtam") if os.getuid() == 0 else Path("~/.local/state/dtam").expanduser()
    return (Path(given) if given else usual) / "tickets"


def _made() -> tuple[Path, int]:
    """A directory of our own with its lock; below the state, or in the temporary directory where the state cannot be written."""
    for base in (state_directory(), Path(tempfile.gettempdir()) / f"dtam-{os.getuid()}"):
        with contextlib.suppress(OSError):
            base.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_strangers(base)
            with _alone(base):
                _sweep(base)
                return _locked(Path(tempfile.mkdtemp(prefix=_PREFIX, dir=base)))
    return _locked(Path(tempfile.mkdtemp(prefix="dtam-")))


def _refuse_strangers(base: Path) -> None:
    status = base.lstat()
    if status.st_uid != os.getuid() or not stat.S_ISDIR(status.st_mode):
        raise PermissionError(base)
    base.chmod(0o700)


def _locked(path: Path) -> tuple[Path, int]:
    handle = os.open(path / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX)
    return path, handle


@contextmanager
def _alone(base: Path) -> Iterator[None]:
    """Nobody makes or sweeps below it meanwhile, so that no new directory is taken for a deserted one."""
    handle = os.open(base / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sweep(base: Path) -> None:
    for one in base.glob(f"{_PREFIX}*"):
        if _is_deserted(one):
            shutil.rmtree(one, ignore_errors=True)


def _is_deserted(path: Path) -> bool:
    try:
        handle = os.open(path / "lock", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _remove(path: Path, pid: int) -> None:
    if pid == os.getpid():
        shutil.rmtree(path, ignore_errors=True)
