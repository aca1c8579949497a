"""Telling systemd that the captures lie over their directories (``Type=notify``), so that units ordered after the engine find them.

The protocol is a datagram to the socket named in NOTIFY_SOCKET (sd_notify(3)); a name that begins with ``@`` is in the abstract
namespace. Nothing is told where nobody asks.
"""

from __future__ import annotations

import logging
import os
import socket

log = logging.getLogger(__name__)
ASKED_BY = "NOTIFY_SOCKET"


def tell_ready(says: str) -> bool:
    """Say once that this process is ready, and how it stands; whether somebody was told.

    The variable goes, so that services and scripts that are started later do not speak in our name.
    """
    name = os.environ.pop(ASKED_BY, "")
    if not name:
        return False
    where = f"\0{name[1:]}" if name.startswith("@") else name
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as way:
            way.sendto(f"READY=1\nSTATUS={says}\n".encode(), where)
    except OSError:
        log.exception("systemd at %s was not told that the engine is ready", name)
        return False
    return True
