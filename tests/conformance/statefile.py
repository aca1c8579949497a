"""A pretended world whose whole state is one file: what a process changed is on the disk, whole, when it is killed."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

State = dict[str, Any]


class StateFile:
    """The file. ``halfway`` is called by hosts in the middle of a deed."""

    def __init__(self, path: Path, halfway: Callable[[], None] = lambda: None) -> None:
        self.path = path
        self.halfway = halfway

    @property
    def state(self) -> State:
        """As it is on the disk now."""
        state: State = json.loads(self.path.read_text())
        return state

    @contextmanager
    def change(self) -> Iterator[State]:
        """Change it; on the disk, whole, at the end of the block."""
        state = self.state
        yield state
        self.save(state)

    def save(self, state: State) -> None:
        """Replace the file."""
        beside = self.path.with_suffix(f".{os.getpid()}")
        beside.write_text(json.dumps(state))
        beside.replace(self.path)
