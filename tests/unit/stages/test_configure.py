"""Layers of settings: who wins, where each value came from, and how a mistake is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from orchestrator import configure
from orchestrator.model.conditions import Stage
from orchestrator.model.errors import FileUnreadable, ServerUnknown, SettingsInvalid, SourceIsTarget
from orchestrator.model.located import load
from orchestrator.model.provenance import Layer
from orchestrator.model.servers import EngineAddress, Pair, Server, ServerName
from plugins.fileserver.discover import defaults
from tests.faults.rehearsal import pair, protection, settings

FILE = """\
application: fileprint
source: alpha
target: beta
name: files.example.com
monitoring:
  missed: 7
"""


def refused(text: str, **flags: Any) -> str:
    with pytest.raises(SettingsInvalid) as caught:
        configure.configure([load(text, "p.yaml"), configure.flags(flags)])
    return str(caught.value)


@pytest.mark.covers("AM-05", "AM-06")
def test_stronger_layers_win_and_each_value_knows_its_own() -> None:
    previous = configure.layer({"monitoring": {"missed": 3, "interval_s": 2}}, Layer.PREVIOUS, "alpha and beta before")
    layers = [
        configure.layer(defaults(pair()), Layer.DEFAULT, "the plugin"),
        previous,
        load(FILE, "p.yaml"),
        configure.flags({"monitoring.method": "icmp"}),
    ]
    found, origins = configure.configure(layers)
    assert (found.monitoring.missed, found.monitoring.interval_s, found.monitoring.method) == (7, 2, "icmp")
    assert str(origins["monitoring.missed"]) == "p.yaml:6:3"
    assert str(origins["monitoring.interval_s"]) == "alpha and beta before"
    assert str(origins["monitoring.method"]) == "--set monitoring.method"
    assert origins["monitoring.addresses"].layer is Layer.DEFAULT
    assert "failover.settle" not in origins


def test_lists_are_replaced_whole_with_their_places() -> None:
    below = configure.layer({"monitoring": {"addresses": ["10.0.0.1", "10.0.0.9"]}}, Layer.PREVIOUS, "before")
    found, origins = configure.configure(
        [below, load(FILE, "p"), configure.flags({"monitoring.addresses": "[10.0.0.7]"})]
    )
    assert found.monitoring.addresses == ("10.0.0.7",)
    assert "monitoring.addresses.1" not in origins


def test_habits_name_no_machine() -> None:
    last = {"name": "files.example.com", "monitoring": {"missed": 9, "addresses": ["10.0.0.1"]}}
    assert configure.habits(last).values == {"monitoring": {"missed": 9}}


def test_all_problems_come_at_once_with_line_and_column() -> None:
    text = FILE + "  interval_s: soon\n  mised: 1\nconnection:\n  roots: [{source_path: srv}]\n"
    told = refused(text)
    assert "p.yaml:7:3: monitoring.interval_s: should be a valid number" in told
    assert "(given: 'soon')" in told
    assert "p.yaml:8:3: monitoring.mised: there is no setting 'mised', did you mean 'missed'?" in told
    assert "p.yaml:10:12: connection.roots.0.source_path: must be an absolute path" in told
    assert "\n" not in told


def test_what_is_out_of_range_names_the_flag() -> None:
    told = refused(FILE, **{"monitoring.missed": "1001"})
    assert told == "--set monitoring.missed: monitoring.missed: should be less than or equal to 1000 (given: 1001)"


def test_what_is_missing_is_named() -> None:
    assert "name: is missing" in refused("source: alpha\ntarget: beta\napplication: fileprint\n")


@pytest.mark.covers("AM-02")
def test_a_single_label_domain_is_refused() -> None:
    assert "the domain 'example' is a single label" in refused(FILE.replace("files.example.com", "files.example"))


def test_unreadable_files(tmp_path: Path) -> None:
    with pytest.raises(FileUnreadable, match="No such file"):
        configure.read_file(tmp_path / "absent.yaml")
    bad = tmp_path / "bad.yaml"
    bad.write_bytes(b"source: alpha\ntarget: b\xffeta\n")
    with pytest.raises(FileUnreadable, match=r"bad.yaml:2:10: .*0xff is not UTF-8"):
        configure.read_file(bad)


def known(*servers: Server) -> dict[str, Server]:
    return {server.name: server for server in servers}


def test_an_unknown_server_is_named_with_those_known() -> None:
    with pytest.raises(ServerUnknown, match=r"server beta is not known \(known: alpha\)"):
        configure.agree(settings(), known(pair().source), [])


@pytest.mark.covers("AM-04")
def test_a_target_cannot_become_a_source() -> None:
    gamma = Server(ServerName("gamma"), ("10.0.0.9",), EngineAddress("10.0.0.9"))
    other = msgspec.structs.replace(
        protection(Stage.ENABLED),
        pair=Pair(gamma, pair().source),
        settings=settings().model_copy(update={"source": "gamma", "target": "alpha"}),
    )
    with pytest.raises(SourceIsTarget, match="alpha cannot be a source"):
        configure.agree(settings(), known(pair().source, pair().target), [other])


def test_two_names_of_one_server_are_noticed() -> None:
    twin = msgspec.structs.replace(pair().target, engine=pair().source.engine)
    with pytest.raises(SettingsInvalid, match="same server"):
        configure.agree(settings(), known(pair().source, twin), [])


def test_a_target_path_inside_the_set_is_refused() -> None:
    given, _ = configure.configure(
        [load(FILE + "connection:\n  roots: [{source_path: /srv, target_path: /srv/copy}]\n", "p.yaml")]
    )
    with pytest.raises(SettingsInvalid, match="/srv/copy lies inside the protected directory /srv"):
        configure.agree(given, known(pair().source, pair().target), [])


@pytest.mark.covers("AM-05")
def test_the_pair_agrees_with_itself_again() -> None:
    found = configure.agree(settings(), known(pair().source, pair().target), [protection(Stage.ENABLED)])
    assert found == pair()
