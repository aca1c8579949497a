"""What each process takes with many files in the set, while many operations queue at a paused target, and when they have been worked off."""

from __future__ import annotations

import time
from pathlib import Path

from tests.benchmarks.engines import Link, two_engines
from tests.benchmarks.measure import Comparison, Taken, series
from tests.benchmarks.setting import TINY_BYTES, Setting, settle_disk, small_files
from tests.benchmarks.writes import run_load

MIB = 1 << 20


def memory_mib(pid: int) -> dict[str, float]:
    """RSS, its peak so far, PSS and anonymous memory (what only this process has, and no file backs), in MiB."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines}
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    peak = {"peak RSS": int(status["VmHWM"].split()[0]) / 1024}
    return {"RSS": kib["Rss"] / 1024, "PSS": kib["Pss"] / 1024, "anonymous": kib["Anonymous"] / 1024} | peak


def memory(setting: Setting) -> list[Comparison]:
    """Processes idle, with the queue at the target (applying is paused), with it at the source (sending is paused), drained."""
    taken: dict[str, dict[str, float]] = {}
    with setting.room("memory") as room, two_engines(room) as two:
        source = room / "source"
        small_files(source, setting.files_in_set, TINY_BYTES)
        two.capture(source, setting.capture)
        link = two.connect(source, room / "replica")
        run_load(source / "file", 1000)
        link.settle()
        taken["idle"] = look(link)
        with two.beta.local(120) as beta, two.alpha.local(120) as alpha:
            beta.replica_action(link.key, "pause")
            run_load(source / "file", setting.queued_operations)
            _acknowledged(link)
            taken["queued at the target"] = look(link)
            beta.replica_action(link.key, "resume")
            _drained(link)
            taken["drained"] = look(link)
            alpha.connection_action(link.key, "pause")
            run_load(source / "file", setting.queued_operations)
            taken["queued at the source"] = look(link)
            alpha.connection_action(link.key, "resume")
            _drained(link)
            taken["drained again"] = look(link)
    return [_table(setting, taken)]


def look(link: Link) -> dict[str, float]:
    """The processes and the queues now, in MiB."""
    found: dict[str, float] = {}
    pids = {
        "capture": link.capture_pid,
        "source daemon": link.alpha.process.pid,
        "target daemon": link.beta.process.pid,
    }
    for name, pid in pids.items():
        found.update({f"{name}, {kind}": value for kind, value in memory_mib(pid).items()})
    queue = link.position_page.parent / "queue"
    with link.alpha.local() as alpha:
        mount = next(one for one in alpha.mounts() if one.path == str(link.source))
        found["source's queue, memory (tmpfs)"] = mount.memory_bytes / MIB
        found["source's queue, disk"] = mount.disk_bytes / MIB
        found["target's queue, disk"] = sum(file.stat().st_size for file in queue.glob("*.seg")) / MIB
    return found


def _acknowledged(link: Link) -> None:
    """Until the target's log has everything that the source's has."""
    with link.alpha.local() as alpha:
        while (now := alpha.connection(link.key)).acknowledged_sequence < now.committed_sequence:
            time.sleep(0.1)


def _drained(link: Link) -> None:
    link.settle(1800)
    settle_disk()
    time.sleep(3)  # a checkpoint, and the segments go


def _table(setting: Setting, taken: dict[str, dict[str, float]]) -> Comparison:
    rows = [
        series(f"{moment}: {what}", "MiB", [Taken(value)])
        for moment, found in taken.items()
        for what, value in found.items()
    ]
    files = f" over {setting.files_in_set:,} files" if setting.files_in_set else ""
    return Comparison(
        f"memory while {setting.queued_operations:,} writes of 8 KiB queue{files}", tuple(rows), compared=False
    )
