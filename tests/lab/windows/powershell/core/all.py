"""Imports every module that registers cmdlets of the language itself."""

from __future__ import annotations

from tests.lab.windows.powershell.core import documents, objects, sessions, writing

ROOMS = (documents, objects, sessions, writing)
