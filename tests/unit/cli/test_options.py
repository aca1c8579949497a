"""The tool's own options: kept below its state directory, within the guide's limits, and heeded."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner, Result

from orchestrator.cli.commands import monitor
from orchestrator.cli.dtam import dtam
from orchestrator.cli.guard import open_log, prepare_home
from orchestrator.engine.control.hostlogs import tail
from orchestrator.model.servers import EngineAddress, Pair, ProtectionId, Server, ServerName
from orchestrator.pipeline import Pipeline
from orchestrator.store.options import Options, changed, read, write
from tests.faults.rehearsal import protection


@pytest.fixture(autouse=True)
def closed_logs():
    yield
    for logger in (logging.getLogger("dtam"), logging.getLogger("dtam.naming")):
        for handler in logger.handlers:
            handler.close()
        logger.handlers[:] = []
        logger.propagate = True


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(dtam, list(words), env={"DTAM_HOME": str(home)}, obj=words)


def told(home: Path, *words: str) -> dict[str, Any]:
    done = run(home, "options", *words, "--json")
    assert done.exit_code == 0, done.output
    found: dict[str, Any] = json.loads(done.stdout)["options"]
    return found


@pytest.mark.covers("AM-17")
def test_the_guides_defaults() -> None:
    found = Options()
    assert (found.port, found.refresh_s, found.verbose, found.log_bytes) == (6320, None, True, 1_000_000)
    assert not any((found.bytes, found.load_last, found.alternative_dns, found.advanced))


@pytest.mark.covers("AM-17")
def test_what_is_chosen_is_kept_for_the_next_start_and_readable_by_its_owner_only(tmp_path: Path) -> None:
    assert told(tmp_path, "--refresh", "30000", "--bytes", "--log-size", "2MB")["refresh_s"] == 30_000
    kept = told(tmp_path)
    assert (kept["refresh_s"], kept["bytes"], kept["log_bytes"]) == (30_000, True, 2_000_000)
    assert (tmp_path / "options.json").stat().st_mode & 0o777 == 0o600
    assert told(tmp_path, "--refresh", "automatic", "--no-bytes")["refresh_s"] is None
    assert told(tmp_path, "--defaults")["log_bytes"] == 1_000_000


@pytest.mark.covers("AM-17")
@pytest.mark.parametrize(
    "words",
    [("--refresh", "0"), ("--refresh", "30001"), ("--log-size", "9KB"), ("--log-size", "much"), ("--port", "0")],
)
def test_what_is_outside_of_its_limits_is_refused_and_changes_nothing(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert run(tmp_path, "options", *words).exit_code == 2
    assert read(tmp_path) == Options()
    with pytest.raises(msgspec.ValidationError):
        changed(Options(), {"refresh_s": 0})


@pytest.mark.covers("AM-17")
def test_a_damaged_file_is_named_and_can_be_written_anew(tmp_path: Path) -> None:
    (tmp_path / "options.json").write_text("{")
    refused = run(tmp_path, "options")
    assert "options.json cannot be used" in str(refused.exception)
    assert told(tmp_path, "--defaults")["port"] == 6320


@pytest.mark.covers("AM-17")
def test_the_verbose_log_names_every_command_and_rotates_to_prev(tmp_path: Path) -> None:
    write(prepare_home(tmp_path), Options(log_bytes=10_000))
    for _ in range(3):
        run(tmp_path, "options", "--port", "6321")
    log = tmp_path / "log" / "dtam.verbose.log"
    assert log.read_text().count("dtam options --port 6321") == 3
    for number in range(200):
        logging.getLogger("dtam").info("line %d of sixty letters, so that the file is soon too large to go on", number)
    assert log.with_name("dtam.verbose.prev.log").exists()
    assert log.stat().st_size <= 10_000
    assert sorted(one.name for one in log.parent.iterdir()) == ["dtam.verbose.log", "dtam.verbose.prev.log"]


@pytest.mark.covers("AM-17")
def test_without_verbose_only_what_went_wrong_is_logged(tmp_path: Path) -> None:
    open_log(prepare_home(tmp_path), verbose=False)
    logging.getLogger("dtam").info("a command")
    logging.getLogger("dtam").error("a failure")
    text = (tmp_path / "log" / "dtam.verbose.log").read_text()
    assert "a failure" in text
    assert "a command" not in text


def settled(home: Path) -> None:
    """Two protections, of servers where nothing listens."""
    with Pipeline(prepare_home(home), "somebody") as pipeline:
        for number, names in enumerate((("alpha", "beta"), ("gamma", "delta"))):
            places = (f"127.0.0.{20 + 2 * number}", f"127.0.0.{21 + 2 * number}")
            sides = [
                Server(ServerName(name), (at,), EngineAddress(at, 9)) for name, at in zip(names, places, strict=True)
            ]
            name = ProtectionId(f"fileprint_{'_'.join(names)}")
            pipeline.store.put_protection(msgspec.structs.replace(protection(), id=name, pair=Pair(*sides)))


@pytest.mark.covers("AM-17")
def test_the_last_protection_is_loaded_when_that_is_chosen(tmp_path: Path) -> None:
    settled(tmp_path)
    asked = ("--fileprint", "logs", "dfo", "--on", "target")
    assert "no protection is chosen" in str(run(tmp_path, *asked).exception)
    write(tmp_path, Options(load_last=True))
    run(tmp_path, *asked, "--protection", "fileprint_gamma_delta")
    done = run(tmp_path, *asked)
    assert "fileprint_gamma_delta, as last time" in done.stderr
    assert "127.0.0.23" in str(done.exception), "the engine of delta was asked"


@pytest.mark.covers("AM-17")
def test_remembered_passwords_are_cleared_from_the_options(tmp_path: Path) -> None:
    with Pipeline(prepare_home(tmp_path), "somebody") as pipeline:
        pipeline.credentials.remember("ada@lab.example", "", "secret")
    assert run(tmp_path, "options", "--clear-credentials").exit_code != 0, "a person is asked"
    done = run(tmp_path, "options", "--clear-credentials", "--yes")
    assert "forgotten: 1 remembered password" in done.stdout
    with Pipeline(tmp_path, "somebody") as pipeline:
        assert pipeline.credentials.listed()[0] == ()


@pytest.mark.covers("AM-14", "AM-17")
def test_the_monitor_looks_as_often_and_counts_as_chosen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settled(tmp_path)
    write(tmp_path, Options(refresh_s=7, bytes=True, details=False))
    seen: list[Any] = []

    def follow(_desk, _screen, protection, shown, *, interval_s, count):
        seen.append((protection.id, shown.in_bytes, shown.details, interval_s, count))

    monkeypatch.setattr(monitor, "_follow", follow)
    run(tmp_path, "monitor", "--protection", "fileprint_alpha_beta")
    run(tmp_path, "monitor", "--protection", "fileprint_alpha_beta", "--interval", "3", "--no-bytes", "--details")
    assert seen == [("fileprint_alpha_beta", True, False, 7, None), ("fileprint_alpha_beta", False, True, 3, None)]


@pytest.mark.covers("AM-14")
def test_the_monitor_adjusts_its_interval_by_itself() -> None:
    calm = {"connection": {"target_data_state": "good"}, "restoring": None, "condition": "healthy"}
    assert monitor.automatic_interval_s(calm) > monitor.automatic_interval_s(calm | {"condition": "source_silent"})


@pytest.mark.covers("AM-18")
def test_dfos_log_is_shown_with_what_was_kept_before_it(tmp_path: Path) -> None:
    folder = prepare_home(tmp_path) / "log"
    (folder / "dfo.prev.log").write_text("one\ntwo\n")
    (folder / "dfo.log").write_text("three\n")
    assert run(tmp_path, "logs", "dfo", "--lines", "2").stdout.splitlines() == ["two", "three"]
    assert json.loads(run(tmp_path, "logs", "--json").stdout)["lines"] == ["one", "two", "three"]
    assert "nobody wrote to" in run(tmp_path, "logs", "exchfailover").stdout


def test_only_the_end_of_a_huge_log_is_read(tmp_path: Path) -> None:
    path = tmp_path / "dfo.log"
    path.write_bytes(b"x" * 99 + b"\n" + (b"y" * 99 + b"\n") * 30_000)
    found = tail(path, 100_000)
    assert len(found) < 25_000
    assert set(found) == {"y" * 99}


@pytest.mark.covers("AM-18")
def test_what_dtam_itself_moves_in_dns_is_in_dfos_log_as_well(tmp_path: Path) -> None:
    open_log(prepare_home(tmp_path))
    logging.getLogger("dtam.naming").info("zone lab.example: - A 10.0.0.1; + A 10.0.0.2")
    logging.getLogger("dtam").info("something else")
    assert "+ A 10.0.0.2" in (tmp_path / "log" / "dfo.log").read_text()
    assert "something else" not in (tmp_path / "log" / "dfo.log").read_text()
    assert "+ A 10.0.0.2" in (tmp_path / "log" / "dtam.verbose.log").read_text()
