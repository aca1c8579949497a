"""A target's replica in a process of its own, to be killed: applies a log that the test wrote, as fast as it can."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from orchestrator.engine.apply.replica import Replica
from orchestrator.engine.apply.works import ReplicaSettings


def main() -> None:
    """Open the replica and apply; print a line when everything is applied."""
    replica = Replica.open(Path(sys.argv[1]), ReplicaSettings(checkpoint_s=0.05, janitor_s=0.02))
    sys.stdout.write("open\n")
    sys.stdout.flush()
    while replica.status().queue_operations:
        time.sleep(0.002)
    status = replica.status()
    sys.stdout.write(f"done {status.applied_sequence} {status.data_state} {status.verify_required}\n")
    sys.stdout.flush()
    replica.close()


if __name__ == "__main__":
    main()
