"""A simulated Windows source and the state directory that knows it, wherever this process runs: ``python -m tests.e2e.windows_site HOME PLACE``.

It says that all is ready, and ends when its standard input does. Only its network is another's: files are those of this machine.
"""

from __future__ import annotations

import sys
from contextlib import ExitStack
from pathlib import Path

from tests.faults.test_serve_windows import Site

if __name__ == "__main__":
    home, place = map(Path, sys.argv[1:])
    with ExitStack() as stack:
        Site(home, stack, place)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.read()
