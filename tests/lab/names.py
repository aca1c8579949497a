"""What tests of names share: dfo as a process, and the whole contents of a zone as text for comparing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from orchestrator.naming.exchange import Exchange
from orchestrator.naming.request import Access
from orchestrator.naming.values import NameServer
from tests.lab.dnsserver import KEY

SOURCE = "alpha.lab.example"
MOVE = ["--source-name", SOURCE, "--source-ip", "10.0.0.10", "--target-ip", "10.0.0.20"]


def zone(server: NameServer, name: str = "lab.example.", key=KEY) -> dict[tuple[str, str], tuple[int, tuple[str, ...]]]:
    """All record sets of a zone but its SOA: (name, type) -> (TTL, data)."""
    exchange = Exchange(Access((server,), (("", key),)))
    return {
        (one.name.lower(), one.type): (one.ttl_s, tuple(sorted(one.data)))
        for one in exchange.transfer(server, name)
        if one.type != "SOA"
    }


def soa_serial(server: NameServer, name: str = "lab.example.") -> int:
    """The serial that a server shows for a zone."""
    return int(Exchange(Access((server,))).ask(server, name, "SOA").answer[0][0].serial)


@dataclass
class Dfo:
    """Runs dfo as users and scripts do: another process, with a state directory of its own."""

    home: Path
    servers: tuple[NameServer, ...]
    key_file: Path | None
    extra: list[str] = field(default_factory=list)

    def command(self, *words: str) -> list[str]:
        """The words of a call."""
        reach = [word for server in self.servers for word in ("--server", str(server))]
        key = ["--key-file", str(self.key_file)] if self.key_file else []
        return [sys.executable, "-m", "orchestrator.cli.dfo", *words, *reach, *key, *self.extra]

    def environment(self) -> dict[str, str]:
        """Its environment."""
        return {**os.environ, "DTAM_HOME": str(self.home)}

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run it to its end."""
        return subprocess.run(
            self.command(*words), env=self.environment(), capture_output=True, text=True, timeout=60, check=False
        )

    def facts(self, *words: str) -> dict:
        """Run it with --json, and give the document."""
        done = self.run(*words, "--json")
        document = json.loads(done.stdout)
        assert document["exit_code"] == done.returncode
        return document
