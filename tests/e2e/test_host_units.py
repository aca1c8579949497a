"""Units of a real engine with a stand-in for systemd: who starts them at boot is seen, complained of, mended and put back.

The stand-in keeps the word of each unit in a file, and answers as systemctl does: the word, and an exit code that repeats it.
"""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from orchestrator.engine.client import schema
from orchestrator.hosts.agent import AgentHost
from orchestrator.model.findings import Severity
from orchestrator.model.servers import Where
from orchestrator.model.settings import ServiceSettings
from orchestrator.validate import validate
from plugins.fileserver.application import FileServer
from tests.e2e.conftest import Engines
from tests.e2e.test_engine_host import document
from tests.faults.rehearsal import protection
from tests.unit.fileserver.test_checks import SOUND, SOURCE

SYSTEMCTL = """#!/bin/sh
unit=$(for word in "$@"; do :; done; printf %s "$word")
word="$UNITS/$unit"
case "$1" in
  is-enabled) [ -e "$word" ] || { echo "Failed to get unit file state for $unit: No such file or directory" >&2; exit 1; }
              cat "$word"; [ "$(cat "$word")" = enabled ] ;;
  enable) echo enabled >"$word" ;;
  disable) echo disabled >"$word" ;;
  show) echo ActiveState=active; echo MainPID=1 ;;
esac
"""
"""Stands in for systemd's own program: is-enabled, enable, disable, show."""


@pytest.fixture
def units(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the stand-in keeps the words of its units; it comes first on the engines' PATH."""
    programs, words = tmp_path / "bin", tmp_path / "units"
    programs.mkdir()
    words.mkdir()
    (programs / "systemctl").write_text(SYSTEMCTL)
    (programs / "systemctl").chmod(0o755)
    monkeypatch.setenv("UNITS", str(words))
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    return words


@pytest.mark.covers("AM-11", "AM-12")
def test_a_unit_that_starts_by_itself_is_found_mended_and_put_back(engines: Engines, units: Path) -> None:
    alpha = engines.make("alpha")
    service = ServiceSettings(name="smbd", unit="smbd.service")
    given, wanted = protection(), service.document(Where.SOURCE)
    failover = given.settings.failover.model_copy(update={"services": (service,)})
    given = msgspec.structs.replace(given, settings=given.settings.model_copy(update={"failover": failover}))
    with alpha.local() as client:
        host = AgentHost("alpha", client)
        for word, start_type in (("enabled", "automatic"), ("masked", "manual"), ("static", "unknown")):
            (units / "smbd.service").write_text(f"{word}\n")
            assert [one.start_type for one in host.services([wanted])] == [start_type], word
        (units / "smbd.service").unlink()
        assert [one.start_type for one in host.services([wanted])] == ["unknown"]
        (units / "smbd.service").write_text("enabled\n")
        source = msgspec.structs.replace(SOURCE, services=host.services([wanted]))
        found, only = msgspec.structs.replace(SOUND, source=source), frozenset({"service-starts-by-itself"})
        (finding,) = validate(FileServer().checks(), found, given, 1000.0, only=only).findings
        assert finding.severity is Severity.ERROR
        assert "smbd starts by itself on alpha" in finding.what
        host.set_start_type(wanted, "manual")
        assert (units / "smbd.service").read_text() == "disabled\n"
        assert [one.start_type for one in host.services([wanted])] == ["manual"]
        client.put_protection(document(alpha, services=[schema.Service.model_validate(wanted)]))
        assert client.service("smbd").start_type == "manual"
        host.set_start_type(wanted, "automatic")
        assert client.service("smbd").start_type == "automatic"


def test_a_command_never_starts_by_itself(engines: Engines) -> None:
    alpha = engines.make("alpha")
    service = ServiceSettings(name="files", start_command=("/bin/sleep", "9"))
    with alpha.local() as client:
        (seen,) = AgentHost("alpha", client).services([service.document(Where.SOURCE)])
    assert seen.start_type == "manual"
