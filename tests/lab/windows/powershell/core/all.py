"""Imports every module that registers cmdlets of the language itself."""

from __future__ import annotations

from tests.lab.windows.powershell.core import (
    creating,
    documents,
    modules,
    objects,
    searching,
    sessions,
    summaries,
    writing,
)

ROOMS = (creating, documents, modules, objects, searching, sessions, summaries, writing)
