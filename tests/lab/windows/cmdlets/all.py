"""Importing this registers every cmdlet and program over the machine."""

from __future__ import annotations

from tests.lab.windows.cmdlets import content, items, properties, services, smb_access, smb_server, smb_shares

ROOMS = (content, items, properties, services, smb_access, smb_server, smb_shares)
