"""What every measurement is given: where to work, how much of everything, how often; and the data that is copied."""

from __future__ import annotations

import contextlib
import mmap
import os
import platform
import random
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

PAGE_BYTES = 8192
SMALL_BYTES = 10_240
TINY_BYTES = 100


@dataclass(frozen=True, slots=True)
class Setting:
    """Sizes: the defaults are those of docs/benchmarks.md; ``quick`` only shows that everything runs."""

    place: Path
    rounds: int = 3
    big_bytes: int = 2 << 30
    small_files: int = 20_000
    many_files: int = 200_000
    changed_pages: int = 2000
    writes: int = 60_000
    pgbench_s: int = 15
    pgbench_scale: int = 20
    lag_s: float = 15.0
    lag_rate: int = 2000
    queued_operations: int = 1_000_000
    files_in_set: int = 0
    databases: int = 1000
    service_names: int = 10_000
    capture: str = "fuse"

    def quick(self) -> Setting:
        """Small enough for a minute altogether."""
        return replace(
            self, rounds=1, big_bytes=32 << 20, small_files=300, many_files=2000, changed_pages=50, writes=3000,
            pgbench_s=1, pgbench_scale=1, lag_s=1, queued_operations=10_000,
            databases=80, service_names=800,
        )  # fmt: skip

    @contextlib.contextmanager
    def room(self, name: str) -> Iterator[Path]:
        """A directory for one measurement, gone afterwards."""
        path = self.place / name
        shutil.rmtree(path, ignore_errors=True)
        path.mkdir(parents=True)
        path.chmod(0o755)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)


def big_file(path: Path, size: int) -> None:
    """A file of bytes that no program can compress."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for _ in range(0, size, 1 << 20):
            file.write(random.randbytes(1 << 20))


def small_files(root: Path, count: int, size: int = SMALL_BYTES) -> None:
    """Files of ``size`` bytes, two hundred a directory."""
    for number in range(count):
        directory = root / f"d{number // 200}"
        directory.mkdir(parents=True, exist_ok=True)
        (directory / f"f{number}").write_bytes(random.randbytes(size))


def change_pages(path: Path, pages: int) -> None:
    """Other bytes in so many pages, anywhere in the file; its time changes with them."""
    size = path.stat().st_size
    with path.open("r+b", buffering=0) as file:
        for _ in range(pages):
            file.seek(random.randrange(size // PAGE_BYTES) * PAGE_BYTES)
            file.write(random.randbytes(PAGE_BYTES))
    os.utime(path, ns=(0, 0))
    settle_disk()


def warm_memory(size: int) -> None:
    """Touch so much memory and free it: a virtual machine that gave free memory back to its host pays for it again, and at random."""
    mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | mmap.MAP_POPULATE).close()


def settle_disk() -> None:
    """Let the disk come to rest before the next rival's turn."""
    subprocess.run(["sync"], check=True)


def machine() -> dict[str, object]:
    """What was measured on."""
    cpu = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "cpu": cpu[0] if cpu else platform.processor(),
        "cores": os.cpu_count(),
        "memory_bytes": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "load_average": list(os.getloadavg()),
    }
