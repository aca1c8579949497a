"""Python's collector of cycles, kept away from what moves data.

What a daemon is made of (modules, routes, schemas: 80,000 objects) never dies, and going through it takes 50 ms, in which no thread does
anything else: operations waited for it, and a mirror, which makes many objects, caused it again and again.
"""

from __future__ import annotations

import gc

MADE_BEFORE_LOOKING = 20_000
YOUNG_LOOKS = 20
OLD_LOOKS = 50


def collect_rarely() -> None:
    """Leave what exists now alone for good, and look through what is made later less often."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(MADE_BEFORE_LOOKING, YOUNG_LOOKS, OLD_LOOKS)
