"""Importing this registers every cmdlet and program over the machine."""

from __future__ import annotations

from tests.lab.windows.cmdlets import (
    adapters,
    addresses,
    cim,
    computer,
    content,
    events,
    firewall,
    items,
    properties,
    services,
    smb_access,
    smb_server,
    smb_shares,
    storage,
    tasks,
)

ROOMS = (
    adapters,
    addresses,
    cim,
    computer,
    content,
    events,
    firewall,
    items,
    properties,
    services,
    smb_access,
    smb_server,
    smb_shares,
    storage,
    tasks,
)
