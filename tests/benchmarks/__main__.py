"""Run measurements: ``make bench``, ``make bench BENCH_ARGS="lag pgbench --rounds 5"``, ``make bench BENCH_ARGS=--quick``."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tests.benchmarks.flushes import flushes
from tests.benchmarks.lag import lag
from tests.benchmarks.measure import Comparison, save
from tests.benchmarks.memory import memory
from tests.benchmarks.mirrors import big, checksum, small, unchanged
from tests.benchmarks.setting import Setting, machine
from tests.benchmarks.sql_cost import databases, facts, service_names
from tests.benchmarks.writes import pgbench, random_writes

MEASUREMENTS: dict[str, Callable[[Setting], list[Comparison]]] = {
    "big": big,
    "small": small,
    "checksum": checksum,
    "unchanged": unchanged,
    "writes": random_writes,
    "pgbench": pgbench,
    "lag": lag,
    "flushes": flushes,
    "memory": memory,
    "databases": databases,
    "facts": facts,
    "service-names": service_names,
}


def chosen(arguments: list[str] | None = None) -> argparse.Namespace:
    """What was asked for."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("measurements", nargs="*", help=f"some of: {' '.join(MEASUREMENTS)}; all without any")
    parser.add_argument("--quick", action="store_true", help="small sizes, one round: shows that everything runs")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--gib", type=float, help="size of the big file")
    parser.add_argument("--files", type=int, help="how many small files")
    parser.add_argument("--many", type=int, help="how many files of which none has changed")
    parser.add_argument("--writes", type=int, help="how many random writes")
    parser.add_argument("--operations", type=int, help="how many operations queue")
    parser.add_argument("--files-in-set", type=int, help="how many files lie in the set while operations queue")
    parser.add_argument("--rate", type=int, help="writes a second of a lag run")
    parser.add_argument("--seconds", type=float, help="of a pgbench run, and of a lag run")
    parser.add_argument("--capture", choices=["fuse", "watcher"], default="fuse")
    parser.add_argument(
        "--directory", type=Path, help="where to work; on the disk that is to be measured (default: /var/tmp)"
    )
    parser.add_argument("--json", type=Path, default=Path("bench-results.json"), help="where the raw rounds go")
    given = parser.parse_args(arguments)
    for name in given.measurements:
        if name not in MEASUREMENTS:
            parser.error(f"no measurement is called {name!r}: choose from {' '.join(MEASUREMENTS)}")
    return given


def setting_of(given: argparse.Namespace, place: Path) -> Setting:
    """The sizes."""
    setting = Setting(place, capture=given.capture)
    setting = setting.quick() if given.quick else setting
    wanted = {
        "rounds": given.rounds,
        "big_bytes": given.gib and int(given.gib * 2**30) >> 20 << 20,
        "small_files": given.files,
        "many_files": given.many,
        "writes": given.writes,
        "queued_operations": given.operations,
        "files_in_set": given.files_in_set,
        "pgbench_s": given.seconds and int(given.seconds),
        "lag_s": given.seconds,
        "lag_rate": given.rate,
    }
    return replace(setting, **{name: value for name, value in wanted.items() if value is not None})


def main() -> None:
    """Measure."""
    given = chosen()
    found: list[Comparison] = []
    about = machine()
    with tempfile.TemporaryDirectory(prefix="dtam-bench-", dir=given.directory or Path("/var/tmp")) as place:
        Path(place).chmod(0o755)  # PostgreSQL runs as another user
        for name in given.measurements or MEASUREMENTS:
            print(f"{name}:", flush=True)
            found += MEASUREMENTS[name](setting_of(given, Path(place)))
            print(f"\n{found[-1].table()}", flush=True)
            save(found, given.json, about)
    print(f"raw rounds: {given.json}")


if __name__ == "__main__":
    main()
