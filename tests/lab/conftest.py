"""The lab for the tests of this directory: one for the whole session, made when the first test asks for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import pytest

from tests.conftest import require
from tests.lab.domain import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The session's lab. A test that changes what others see puts it back, or calls ``lab.reset()``."""
    require("lab")
    began_s = time.monotonic()
    made = Lab.up()
    sys.stdout.write(f"\nlab up in {time.monotonic() - began_s:.1f} s\n")
    yield made
    began_s = time.monotonic()
    made.close()
    sys.stdout.write(f"\nlab down in {time.monotonic() - began_s:.1f} s\n")
