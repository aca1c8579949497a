"""Importing this registers every cmdlet and program over the machine."""

from __future__ import annotations

from importlib import import_module

ROOMS = tuple(
    import_module(f"tests.lab.windows.cmdlets.{name}")
    for name in (
        "acl",
        "adapters",
        "addresses",
        "cim",
        "cluster",
        "computer",
        "content",
        "events",
        "firewall",
        "items",
        "naming_programs",
        "processes",
        "programs",
        "properties",
        "replica",
        "service_programs",
        "services",
        "shadow_programs",
        "smb_access",
        "smb_server",
        "smb_shares",
        "standing",
        "storage",
        "surroundings",
        "tasks",
    )
)
