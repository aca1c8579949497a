"""What a client sees, who knows only the name: the ``Clients`` port.

The name is resolved at the protection's own DNS servers (the system's resolver where none is configured), never from a cache, and
the answering address is part of the sentence: a failover is done only when this answers.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
import urllib3

from orchestrator.model.outcomes import GiveUp, TryAgain
from orchestrator.model.ports import HealthProbe

AGAIN_S = 0.5
PORTS = {"http": 80, "https": 443}
SHOWN = 80
AskSql = Callable[[Mapping[str, Any], str], str]


class NameClients:
    """Asks through a name. ``servers`` are (address, port) of DNS servers; empty means those of this machine.

    ``ask_sql`` asks an instance of SQL Server at an address, as a probe's ``sql`` says, and gives what it says.
    """

    def __init__(self, servers: Sequence[tuple[str, int]] = (), ask_sql: AskSql | None = None) -> None:
        self._servers = tuple(servers)
        self._ask_sql = ask_sql

    def ask(self, probe: HealthProbe) -> str:
        """One sentence with what answered and from which address; TryAgain with the reason when nothing answers."""
        addresses = self.addresses(probe.name, probe.timeout_s)
        if probe.url:
            return _until_one_answers(addresses, lambda address: _ask_http(probe, address))
        if probe.sql:
            return _until_one_answers(addresses, lambda address: self._ask_instances(probe, address))
        if probe.command:
            return _ask_command(probe, addresses[0])
        return f"{probe.name} is {', '.join(addresses)}; no health question is configured"

    def _ask_instances(self, probe: HealthProbe, address: str) -> str:
        if self._ask_sql is None:
            raise GiveUp("SQL Server cannot be asked from here")
        says = [self._ask_sql(one, address) for one in probe.sql]
        return f"{probe.name} is well at {address}: {'; '.join(says)}"

    def addresses(self, name: str, timeout_s: float) -> tuple[str, ...]:
        """The addresses of ``name`` as the first DNS server that answers has them."""
        failures: list[str] = []
        for server in self._servers or (None,):
            try:
                return self._resolve(name, server, timeout_s)
            except dns.exception.DNSException as error:
                where = f"{server[0]}:{server[1]}" if server else "the system's resolver"
                failures.append(f"{where}: {error or type(error).__name__}")
        raise TryAgain(f"{name} is not resolved ({'; '.join(failures)})", after_s=AGAIN_S)

    def _resolve(self, name: str, server: tuple[str, int] | None, timeout_s: float) -> tuple[str, ...]:
        resolver = dns.resolver.Resolver(configure=server is None)
        if server is not None:
            resolver.nameservers = [server[0]]
            resolver.port = server[1]
        resolver.lifetime = timeout_s
        try:
            return tuple(str(record) for record in resolver.resolve(name, "A"))
        except dns.resolver.NoAnswer:
            return tuple(str(record) for record in resolver.resolve(name, "AAAA"))


def _until_one_answers(addresses: Sequence[str], ask: Callable[[str], str]) -> str:
    """As a browser does: the next address when one is silent."""
    reasons: list[str] = []
    for address in addresses:
        try:
            return ask(address)
        except TryAgain as error:
            reasons.append(error.reason)
    raise TryAgain("; ".join(reasons), after_s=AGAIN_S)


def _ask_http(probe: HealthProbe, address: str) -> str:
    url = urlsplit(probe.url)
    port = url.port or PORTS[url.scheme]
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    pool = _pool(url.scheme, address, port, url.hostname or probe.name, probe.timeout_s)
    try:
        with pool:
            answer = pool.request("GET", path, headers={"Host": url.netloc}, retries=False, redirect=False)
    except (urllib3.exceptions.HTTPError, OSError) as error:
        refused = isinstance(error, urllib3.exceptions.NewConnectionError)
        slow = isinstance(error, urllib3.exceptions.TimeoutError) and not refused
        why = "no answer in time" if slow else "it does not answer"
        raise TryAgain(f"{probe.name} at {address}:{port}: {why}", after_s=AGAIN_S) from error
    if answer.status >= 400:
        raise TryAgain(f"{probe.name} at {address}:{port} answers {answer.status}", after_s=AGAIN_S)
    text = answer.data.decode(errors="replace")
    if probe.expect and probe.expect not in text:
        raise TryAgain(f"{probe.name} at {address}:{port} answers without {probe.expect!r}", after_s=AGAIN_S)
    return f"{probe.name} answers {answer.status} from {address}: {' '.join(text.split())[:SHOWN]}".rstrip(": ")


def _pool(scheme: str, address: str, port: int, name: str, timeout_s: float) -> urllib3.HTTPConnectionPool:
    timeout = urllib3.Timeout(total=timeout_s)
    if scheme == "https":
        return urllib3.HTTPSConnectionPool(address, port, timeout=timeout, server_hostname=name, assert_hostname=name)
    return urllib3.HTTPConnectionPool(address, port, timeout=timeout)


def _ask_command(probe: HealthProbe, address: str) -> str:
    words = [word.replace("{name}", probe.name).replace("{address}", address) for word in probe.command]
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, timeout=probe.timeout_s, check=False, stdin=subprocess.DEVNULL
        )
    except subprocess.TimeoutExpired as error:
        raise TryAgain(f"{words[0]} took longer than {probe.timeout_s:g} s", after_s=AGAIN_S) from error
    except OSError as error:
        raise GiveUp(f"the health command {words[0]} cannot be run: {error.strerror}") from error
    said = " ".join((done.stdout or done.stderr).split())[:SHOWN]
    if done.returncode != 0 or (probe.expect and probe.expect not in done.stdout):
        raise TryAgain(f"{words[0]} for {probe.name} says no ({done.returncode}): {said}", after_s=AGAIN_S)
    return f"{probe.name} is well at {address}: {said}".rstrip(": ")
