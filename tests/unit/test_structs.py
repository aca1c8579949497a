"""Structs are known to msgspec before threads read them."""

from __future__ import annotations

import subprocess
import sys

MANY_THREADS = """
import sys, threading
import msgspec
from orchestrator.structs import know_structs

def made():
    words = "import msgspec\\n"
    for n in range(30):
        inner = f"C{n - 1}" if n else "int"
        words += f"class C{n}(msgspec.Struct):\\n    a: {inner} | None = None\\n    b: tuple[{inner}, ...] = ()\\n"
    names = {}
    exec(words, names)
    return names

def read(struct, together):
    together.wait()
    msgspec.convert({"a": {"a": {}}, "b": [{}]}, struct)

sys.setswitchinterval(1e-6)
for _ in range(60):
    kept = made()
    know_structs()
    together = threading.Barrier(6)
    threads = [threading.Thread(target=read, args=(kept["C29"], together)) for _ in range(6)]
    for one in threads: one.start()
    for one in threads: one.join()
"""


def test_threads_that_read_a_struct_for_the_first_time_at_once_live() -> None:
    """Without knowing them first, this process ends by a segmentation fault."""
    done = subprocess.run(
        [sys.executable, "-c", MANY_THREADS], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
