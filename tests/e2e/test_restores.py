"""Whole restores between real engines: to another server, from the copy of the set, with conditionals; what travels and what stays."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from orchestrator.engine.client import ConnectionStatus, schema
from tests.e2e.conftest import EngineProcess, Engines, wait_for

pytestmark = pytest.mark.covers("ENG-RST-01")

BIG = os.urandom(3 << 20)
HOUR_S = 3600


@dataclass
class Trio:
    """alpha is lost; beta has its data; gamma is new."""

    beta: EngineProcess
    gamma: EngineProcess
    live: Path
    original: Path

    def restore(self, *words: str, code: int = 0) -> dict[str, Any]:
        command = [sys.executable, "-m", "orchestrator.engine.cli.dtengine", "restore", "data", "--to", "gamma"]
        state = ["--state", str(self.beta.state), "--json"]
        done = subprocess.run([*command, *words, *state], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if code == 0 else {"says": done.stderr}

    def good(self, key: str) -> ConnectionStatus:
        with self.beta.local() as beta:
            wait_for(
                lambda: beta.connection(key).target_data_state == "good", 120, f"the restore: {beta.connection(key)}"
            )
            return beta.connection(key)

    def end(self, key: str) -> None:
        with self.beta.local() as beta:
            beta.disconnect(key)


@pytest.fixture(scope="module")
def trio(module_engines: Engines, tmp_path_factory: pytest.TempPathFactory) -> Trio:
    """A set of alpha, which leaves ``private`` out, went live at beta; alpha and all it knew is gone."""
    place = tmp_path_factory.mktemp("data")
    alpha, beta, gamma = (
        module_engines.make(name, f"127.0.0.{n}") for name, n in (("alpha", 2), ("beta", 3), ("gamma", 4))
    )
    module_engines.pair(alpha, beta)
    module_engines.pair(beta, gamma)
    made = Trio(beta, gamma, place / "live", place / "original")
    made.original.mkdir()
    (made.original / "private").mkdir()
    for name in ("one", "two", "private/never-sent"):
        (made.original / name).write_text(name)
    (made.original / "big").write_bytes(BIG)
    with alpha.local() as here, beta.local() as there:
        here.mount(schema.MountRequest(path=str(made.original), capture="watcher"))
        rules = [schema.Rule(), schema.Rule(path="private", include=False)]
        here.create_replication_set(schema.ReplicationSet(name="data", root=str(made.original), rules=rules))
        mapping = schema.Mapping(kind="custom", target_root=str(made.live))
        out = here.connect(schema.ConnectionRequest(replication_set="data", target="beta", mapping=mapping))
        wait_for(lambda: here.connection(out.key).target_data_state == "good", 120, "the replica")
        here.connection_action(out.key, "settle")
        alpha.kill()
        (replica,) = there.replicas()
        there.replica_action(replica.key, "promote", epoch=1)
    (made.live / "two").write_text("changed after the failover")
    return made


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_a_lost_source_is_restored_to_a_new_server_by_the_copy_of_its_set(trio: Trio, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "private").mkdir(parents=True)
    (new / "private" / "kept").write_text("left out by the set")
    (new / "big").write_bytes(BIG[:-1] + b"?")
    (new / "orphan").write_text("only here")
    begun = trio.restore("--into", str(new), "--orphans", "delete", "--restore-set")
    done = trio.good(begun["key"])
    assert content(new) == {**content(trio.live), "private/kept": b"left out by the set"}
    assert done.mirror_bytes_sent < len(BIG) // 4, "only differing blocks travel"
    with trio.gamma.local() as gamma, trio.beta.local() as beta:
        (given,) = gamma.replication_sets()
        assert (given.name, given.root) == ("data", str(new))
        assert [(rule.path, rule.include) for rule in given.rules] == [("", True), ("private", False)]
        (trio.live / "later").write_text("it follows until it is disconnected")
        beta.connection_action(begun["key"], "settle")
        assert (new / "later").read_text() == "it follows until it is disconnected"
        (held,) = gamma.replicas()
        assert "orphan: was here before the restore" in held.set_aside
    trio.end(begun["key"])
    (copy,) = (trio.gamma.state / "set-aside").rglob("orphan")
    assert copy.read_text() == "only here"


@pytest.mark.parametrize(
    ("words", "old", "new"),
    [
        (("--no-overwrite",), "there", "there"),
        (("--only-newer",), "restored", "there"),
        (("--only-newer", "--no-checksum"), "restored", "there"),
        (("--no-checksum",), "restored", "restored"),
    ],
)
def test_what_a_restore_replaces_is_chosen(
    trio: Trio, tmp_path: Path, words: tuple[str, ...], old: str, new: str
) -> None:
    """A file there that is older than here, one that is newer, and one that is missing."""
    into = tmp_path / "into"
    into.mkdir()
    for name, seconds in (("one", -HOUR_S), ("two", HOUR_S)):
        (into / name).write_text("there")
        at_ns = (trio.live / name).stat().st_mtime_ns + seconds * 10**9
        os.utime(into / name, ns=(at_ns, at_ns))
    begun = trio.restore("--into", str(into), *words)
    trio.good(begun["key"])
    trio.end(begun["key"])
    restored = content(trio.live)
    found = {name: "there" if text == b"there" else "restored" for name, text in content(into).items()}
    assert {name: found[name] for name in ("one", "two", "big")} == {"one": old, "two": new, "big": "restored"}
    assert all(content(into)[name] == restored[name] for name, what in found.items() if what == "restored")


def test_nothing_is_restored_to_where_a_service_writes(trio: Trio, tmp_path: Path) -> None:
    """The engine there captures the place: what would be written would be taken for its users' changes."""
    into = tmp_path / "busy"
    into.mkdir()
    (into / "one").write_text("in use")
    with trio.gamma.local() as gamma, trio.beta.local() as beta:
        gamma.mount(schema.MountRequest(path=str(into)))
        begun = trio.restore("--into", str(into))
        wait_for(lambda: "is captured here" in beta.connection(begun["key"]).last_error, 60, "the refusal")
        assert (into / "one").read_text() == "in use"
        gamma.unmount(str(into))
    trio.good(begun["key"])
    trio.end(begun["key"])
    assert (into / "one").read_text() == "one"


def test_a_set_of_that_name_with_other_rules_is_not_used_unasked(trio: Trio, tmp_path: Path) -> None:
    with trio.beta.local() as beta:
        (known,) = beta.replication_sets()
        beta.save_replication_set(known.model_copy(update={"rules": [schema.Rule(path="one")]}))
        refused = trio.restore("--into", str(tmp_path / "into"), code=93)
        assert "exists here with other rules" in refused["says"]
        begun = trio.restore("--into", str(tmp_path / "into"), "--set", "data")
        trio.good(begun["key"])
        trio.end(begun["key"])
        assert list(content(tmp_path / "into")) == ["one"]
