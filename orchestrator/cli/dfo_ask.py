"""``dfo ask``: does the application answer through the name that clients use? What a failover script ends with.

The name is resolved at the DNS servers themselves, then that address is asked, again and again until the budget is spent.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from orchestrator.errors import DtamError
from orchestrator.hosts.clients import NameClients
from orchestrator.model.outcomes import TryAgain
from orchestrator.model.ports import HealthProbe
from orchestrator.naming.values import NameServer


class NotServed(DtamError):
    """Nothing answers through the clients' name."""

    template = "clients of {name} are not served after {budget_s:g} s: {reason}"
    exit_code = 36
    hint_template = "does the service run, and does the name lead to it? dfo list --source-name {name}"


def ask_until_served(
    servers: tuple[NameServer, ...],
    probe: HealthProbe,
    budget_s: float,
    tcp_port: int | None = None,
    sleep: Callable[[float], None] = time.sleep,
) -> str:
    """One sentence with what answered, and from which address.

    Raises:
        NotServed: nothing answered within the budget.
    """
    clients = NameClients([(server.address, server.port) for server in servers])
    deadline = time.monotonic() + budget_s
    while True:
        try:
            return clients.ask(probe) if tcp_port is None else _connect(clients, probe, tcp_port)
        except TryAgain as error:
            if time.monotonic() + error.after_s > deadline:
                raise NotServed(name=probe.name, budget_s=budget_s, reason=error.reason) from error
            sleep(error.after_s)


def _connect(clients: NameClients, probe: HealthProbe, port: int) -> str:
    address = clients.addresses(probe.name, probe.timeout_s)[0]
    try:
        with socket.create_connection((address, port), probe.timeout_s):
            return f"{probe.name} takes connections at {address}:{port}"
    except OSError as error:
        raise TryAgain(f"{probe.name} at {address}:{port}: {error.strerror or error}") from error
