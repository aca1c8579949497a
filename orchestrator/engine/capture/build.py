"""Building the capture program, and libraries for Python, from their C sources, once for each version of them.

The binary lies in a cache directory under a name that carries the hash of the sources and of the compiler's flags, so an upgrade
builds anew and nothing else does. Invariant: a binary appears under its name whole (atomic rename) or not at all.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from orchestrator.engine.capture.errors import BuildFailed

SOURCES = Path(__file__).parent / "c"
LIBRARIES = ("fuse3", "libxxhash")
FLAGS = (
    "-O2",
    "-std=gnu17",
    "-Wall",
    "-Wextra",
    "-Werror",
    "-D_GNU_SOURCE",
    "-DFUSE_USE_VERSION=314",
    "-DXXH_INLINE_ALL",
    "-fstack-protector-strong",
    "-pthread",
)
LIBRARY_FLAGS = (*(flag for flag in FLAGS if flag != "-DFUSE_USE_VERSION=314"), "-fPIC", "-shared")


def cache_dir() -> Path:
    """Where binaries are kept: ``DTAM_CACHE``, else /var/cache/dtam for root, else ~/.cache/dtam."""
    chosen = os.environ.get("DTAM_CACHE")
    if chosen:
        return Path(chosen)
    return Path("/var/cache/dtam") if os.geteuid() == 0 else Path.home() / ".cache" / "dtam"


def ensure_built(cache: Path | None = None) -> Path:
    """The capture program, built now if this version of it was not built before.

    Raises:
        BuildFailed: a compiler, a header or a library is missing, or the cache directory cannot be written.
    """
    return _ensure("dtcapture", SOURCES, FLAGS, LIBRARIES, cache)


def ensure_library(name: str, sources: Path, cache: Path | None = None) -> Path:
    """A library of C sources (with xxhash), built now if this version of it was not built before.

    Raises:
        BuildFailed: as for the capture program.
    """
    return _ensure(name, sources, LIBRARY_FLAGS, ("libxxhash",), cache)


def _ensure(name: str, sources: Path, flags: Sequence[str], libraries: Sequence[str], cache: Path | None) -> Path:
    home = cache or cache_dir()
    binary = home / f"{name}-{_fingerprint(sources, flags)}"
    if not binary.exists():
        _build(binary, sources, flags, libraries)
    return binary


def _fingerprint(sources: Path, flags: Sequence[str]) -> str:
    digest = hashlib.sha256(repr(tuple(flags)).encode())
    for source in sorted(sources.glob("*.[ch]")):
        digest.update(source.name.encode() + b"\0" + source.read_bytes())
    return digest.hexdigest()[:16]


def _build(binary: Path, folder: Path, flags: Sequence[str], wanted: Sequence[str]) -> None:
    home = binary.parent
    compiler = _tool("cc", "gcc")
    libraries = _library_flags(wanted)
    try:
        home.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryDirectory(dir=home, prefix="building-") as draft_dir:
            draft = Path(draft_dir) / binary.name
            sources = [str(source) for source in sorted(folder.glob("*.c"))]
            _run([compiler, *flags, *sources, "-o", str(draft), *libraries])
            draft.chmod(0o700)
            draft.replace(binary)
    except OSError as error:
        raise BuildFailed(why=f"{error.strerror}: {error.filename}") from error


def _tool(*names: str) -> str:
    found = next((path for path in map(shutil.which, names) if path), None)
    if found is None:
        raise BuildFailed(why=f"{names[-1]} is not installed")
    return found


def _library_flags(libraries: Sequence[str]) -> list[str]:
    pkg_config = _tool("pkg-config")
    return _run([pkg_config, "--cflags", "--libs", *libraries]).split()


def _run(command: list[str]) -> str:
    result = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "LC_ALL": "C"})
    if result.returncode != 0:
        raise BuildFailed(why=_first_complaint(result.stderr))
    return result.stdout


def _first_complaint(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return next(
        (line for line in lines if "error" in line or "No package" in line),
        lines[0] if lines else "the compiler failed",
    )
