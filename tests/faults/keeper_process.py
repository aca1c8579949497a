"""A process that keeps a lease and writes down, line by line, what it does to its host. Started by test_witness_keeper.py.

usage: keeper_process.py DIRECTORY PORT FINGERPRINT CERTIFICATE KEY LEASE_S
"""

# ruff: noqa: ARG002 - the signatures are those of FenceControl

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

from orchestrator.engine.witness.client import WitnessClient
from orchestrator.engine.witness.lease import LeaseKeeper, LeaseSettings


class Host:
    """The fence of a host that has no services: a page file, and a diary."""

    def __init__(self, directory: Path) -> None:
        self._page = directory / "deadline"
        self._diary = (directory / "diary").open("a")

    def _write(self, text: str) -> None:
        self._diary.write(f"{time.clock_gettime_ns(time.CLOCK_BOOTTIME)} {text}\n")
        self._diary.flush()

    def set_deadline(self, deadline_ns: int) -> None:
        beside = self._page.with_suffix(".new")
        beside.write_text(str(deadline_ns))
        beside.replace(self._page)

    def fence(self, why: str, deadline_ns: int) -> None:
        self._write(f"fence {why}")

    def open(self, epoch: int, why: str) -> None:
        self._write(f"open {why}")


def main() -> None:
    directory, port, fingerprint, certificate, key, lease_s = sys.argv[1:7]
    client = WitnessClient(
        "127.0.0.1", int(port), fingerprint, certificate_file=Path(certificate), key_file=Path(key), budget_s=0.4
    )
    keeper = LeaseKeeper(
        "shop", 1, "alpha", arbiters=[client], fence=Host(Path(directory)), settings=LeaseSettings(float(lease_s))
    )
    keeper.start()
    threading.Event().wait(60)
    os._exit(1)


if __name__ == "__main__":
    main()
