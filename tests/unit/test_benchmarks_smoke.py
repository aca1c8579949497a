"""The measurements of ``make bench`` still run: small ones, for real, without a word about how long anything took."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.benchmarks import __main__ as program
from tests.benchmarks.measure import Comparison, Series, Taken, compare, save
from tests.benchmarks.setting import machine


def test_rivals_take_turns_and_ratios_are_of_medians(capsys):
    turns: list[str] = []

    def rival(name: str, figures: list[float]):
        def run() -> Taken:
            turns.append(name)
            return Taken(figures.pop(0), 0.5)

        return run

    found = compare("what", "s", {"one": rival("one", [2, 4, 3]), "two": rival("two", [6, 7, 5])})
    assert turns == ["one", "two", "two", "one", "one", "two"]
    assert found.ratios() == {"one": 1.0, "two": 2.0}
    assert "| two | 6 s | ±17 % | 2.00 | 0.5 |" in found.table()


def test_figures_without_rivals_have_no_ratio():
    table = Comparison("lag", (Series("p50", "ms", (0.0,)),), compared=False).table()
    assert "| p50 | 0 ms | ±0 % |  |  |" in table


def test_raw_rounds_are_kept(tmp_path):
    save([Comparison("lag", (Series("p50", "ms", (1.0, 2.0)),))], tmp_path / "raw.json", machine())
    kept = json.loads((tmp_path / "raw.json").read_text())
    assert kept["comparisons"][0]["series"][0]["rounds"] == [1.0, 2.0]
    assert kept["machine"]["cores"] > 0


def test_an_unknown_measurement_is_named(capsys):
    with pytest.raises(SystemExit):
        program.chosen(["speed"])
    assert "no measurement is called 'speed'" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["checksum", "lag"])
def test_measurements_run_between_real_engines(name, needs, tmp_path, capsys):
    needs("fuse", "rsync", "stunnel")
    given = program.chosen([name, "--quick", "--gib", "0.004", "--seconds", "0.3"])
    (found,) = program.MEASUREMENTS[name](program.setting_of(given, tmp_path))
    assert all(len(one.rounds) == 1 and one.median > 0 for one in found.series)
    assert found.ratios()[found.series[0].rival] == 1.0
    assert not list(Path(tmp_path).iterdir())
