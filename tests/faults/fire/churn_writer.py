"""A program that does the deeds of a seed below a new directory, numbering them in a ledger there, until it is stopped or killed."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from tests.faults.fire.churn import LEDGER, Churn
from tests.faults.fire.diary import Diary

SYNC_EVERY = 10
GENERATION = 1_000_000
"""Deed K of generation G has the number G * GENERATION + K."""


def main(place: Path, diary: Diary, generation: int, seed: int, pace_s: float) -> None:
    """Go on until SIGTERM. A deed is durable once the file system was told to sync it with its line in the ledger."""
    stop: list[int] = []  # no Event: set() from a handler that interrupts wait() would wait for ever
    signal.signal(signal.SIGTERM, lambda number, _: stop.append(number))
    place.mkdir()
    ledger = os.open(place / LEDGER, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    churn, number = Churn(seed + generation), 0
    while not stop:
        time.sleep(pace_s)
        number += 1
        churn.next().do(place)
        os.write(ledger, f"{number}\n".encode())
        if number % SYNC_EVERY == 0:
            os.fsync(ledger)
            diary.note(generation * GENERATION + number)
    os.close(ledger)


if __name__ == "__main__":
    directory, diary_path, page, which, chosen, pace = sys.argv[1:]
    main(Path(directory), Diary(Path(diary_path), Path(page)), int(which), int(chosen), float(pace))
