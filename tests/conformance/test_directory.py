"""The directory in memory keeps the contract that the real one keeps (that one: tests/lab/test_directory_port.py)."""

from __future__ import annotations

import pytest

from tests.conformance.directory_suite import DirectoryConformance
from tests.doubles.directory import BASE, MemoryDirectory


class TestMemoryDirectory(DirectoryConformance):
    @pytest.fixture
    def asked(self):
        directory, place = MemoryDirectory(), f"OU=conformance,{BASE}"
        directory.add(place, {"objectClass": ["organizationalUnit"]})
        return lambda deed: deed(directory, place)
