"""A source that is lost for good, and another server in its place: the service is protected again, moves to the new server, and is protected from there."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
import yaml

from demo.hosts import DemoHost
from tests.e2e.test_dtam_story import ID, Play, content_of, play

__all__ = ["play"]
TO_NEW, NEW = "fileprint_beta_third", "fileprint_third_beta"


def protected_by(play: Play, source: DemoHost, target: DemoHost) -> str:
    """The same service between two other servers, as a file for ``setup``."""
    stage = play.stage
    key = target.directory / "dns.key"
    shutil.copy2(stage.key_file, key)
    given: dict[str, Any] = yaml.safe_load(stage.protection_file.read_text())
    sides = {"source": stage._commands(source), "target": stage._commands(target)}
    given |= {"source": source.name, "target": target.name}
    given["connection"]["roots"] = [{"source_path": str(stage.data(source)), "target_path": str(stage.data(target))}]
    given["failover"]["services"] = [given["failover"]["services"][0] | sides]
    given["failover"]["dns"] |= {
        "target_key_file": str(key),
        "addresses": [{"source": source.address, "target": target.address}],
    }
    given["monitoring"]["addresses"] = [source.address]
    file = stage.directory / f"{source.name}-{target.name}.yaml"
    file.write_text(yaml.safe_dump(given, sort_keys=False))
    return str(file)


def begun(play: Play) -> None:
    """Protected, lost, and failed over: beta serves, and alpha is gone."""
    stage = play.stage
    play.begin()
    stage.write_protection()
    for host in (stage.alpha, stage.beta):
        play.add_host(host)
    play.dtam("--fileprint", "setup", "--file", str(stage.protection_file), "--yes")
    play.write("before.txt", b"written on alpha")
    play.until(lambda: "before.txt" in content_of(play, stage.beta), "the write arriving on beta")
    play.lose_power(stage.alpha)
    play.until(lambda: play.address() == stage.beta.address, "the name leading to beta")
    play.until(lambda: play.status()["stage"] == "failed_over", "the failover being done")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.covers("ENG-RST-01", "ENG-FO-07", "AM-30")
def test_another_server_becomes_the_source(play: Play) -> None:
    begun(play)
    stage, third = play.stage, play.stage.third
    stage.start_engine(third)
    stage.make_token(third)
    stage.enrol(third)
    play.add_host(third)
    assert "only a failback gives back" in play.dtam("disable", "--protection", ID, code=14).stderr
    play.dtam("disable", "--protection", ID, "--force", "--yes")
    assert play.read("before.txt") == b"written on alpha", "beta goes on serving"

    play.dtam("--fileprint", "setup", "--file", protected_by(play, stage.beta, third), "--yes")
    play.write("meanwhile.txt", b"written on beta")
    play.dtam("failover", "--protection", TO_NEW, "--graceful", "--yes")
    assert play.address() == third.address
    assert play.read("meanwhile.txt") == b"written on beta"

    play.dtam("disable", "--protection", TO_NEW, "--force", "--yes")
    live = [one["key"] for one in json.loads(stage.run_on(stage.beta, "replicas", "list", "--json")) if one["promoted"]]
    stage.run_on(stage.beta, "replicas", "act", *live, "forget", "--discard-changes")  # they are on the new source
    play.dtam("--fileprint", "setup", "--file", protected_by(play, third, stage.beta), "--yes")
    play.write("after.txt", b"written on the new source")
    play.until(lambda: "after.txt" in content_of(play, stage.beta), "the write arriving on beta")
    status = play.json("status", "--protection", NEW)
    assert (status["condition"], status["stage"]) == ("healthy", "enabled")
    assert content_of(play, third) == content_of(play, stage.beta)
    for name in ("before.txt", "meanwhile.txt", "after.txt"):
        assert play.read(name) == content_of(play, third)[name]
