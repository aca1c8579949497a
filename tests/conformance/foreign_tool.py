"""A replication tool of somebody else's, for tests: a program that copies a file when it is told to tick, and answers how it stands.

foreign_tool.py STATE ask|promote|reverse|pause|resume [DIRECTION]
"""

# ruff: noqa: T201 - a program answers on standard output
from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path


def main(state_file: Path, verb: str, direction: str = "out") -> int:
    state = json.loads(state_file.read_text())
    source, target = Path(state["source"]), Path(state["target"])
    if verb == "ask":
        sender, receiver = (source, target) if state["direction"] == "out" else (target, source)
        flows = (
            state["receiving"] and not state["paused"] and state["direction"] == direction and not state["source_down"]
        )
        if flows:
            shutil.copyfile(sender, receiver)
        same = receiver.exists() and (not flows or sender.read_bytes() == receiver.read_bytes())
        answer = {"in_step": same, "age_s": state["age_s"], "receiving": state["receiving"], "paused": state["paused"]}
        print(json.dumps(answer))
        return 0
    changes = {
        "promote": {"receiving": False},
        "reverse": {"receiving": True, "direction": direction},
        "pause": {"paused": True},
        "resume": {"paused": False},
    }
    if verb not in changes:
        print(f"no such verb: {verb}", file=sys.stderr)
        return 2
    state_file.write_text(json.dumps(state | changes[verb]))
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), *sys.argv[2:]))
