"""Verification: what is found, what the log says, what is changed."""

from __future__ import annotations

import os

import pytest

from orchestrator.engine.mirror.verify import VerificationLog, VerifyOptions, log_path
from tests.unit.mirror.loopback import mirror, picture


@pytest.fixture
def places(tmp_path):
    source, target = tmp_path / "source", tmp_path / "target"
    source.mkdir()
    target.mkdir()
    for name in ["same", "size", "silent", "gone"]:
        (source / name).write_bytes(name.encode() * 50_000)
    mirror(source, target)
    (target / "size").write_bytes(b"other")
    stamp = (target / "silent").stat().st_mtime_ns
    with (target / "silent").open("r+b") as file:
        file.seek(70_000)
        file.write(b"XX")
    os.utime(target / "silent", ns=(stamp, stamp))
    (target / "gone").unlink()
    (target / "orphan").write_bytes(b"o")
    return source, target


def verify(places, tmp_path, options: VerifyOptions, **log_options: object):
    log = VerificationLog(log_path(tmp_path, "UserData"), **log_options)
    log.begin("UserData", "beta", options)
    mirror(*places, options.mirror_options(), observer=log)
    return log.end(), (tmp_path / "UserData DTVerify.log").read_text().splitlines()


@pytest.mark.covers("ENG-VER-01", "ENG-VER-02")
def test_report_only_changes_nothing(places, tmp_path):
    before = picture(places[1])
    totals, lines = verify(places, tmp_path, VerifyOptions(checksum=True))
    assert picture(places[1]) == before
    assert (totals.files, totals.same, totals.different, totals.orphans) == (4, 1, 3, 1)
    assert lines[0].startswith("--- Verification Start")
    assert "UserData" in lines[0]
    assert "report only" in lines[0]
    assert lines[-1].startswith("--- Verification End")
    assert "files 4 same 1 different 3 orphans 1" in lines[-1]
    told = {line.split()[1]: line for line in lines[1:-1]}
    assert told["same"].startswith("same")
    assert "missing" in told["gone"]
    assert "size" in told["size"]
    assert "1 blocks of 64 KiB, at 65536" in told["silent"]
    assert told["orphan"].startswith("orphan")


@pytest.mark.covers("ENG-VER-01")
def test_without_checksum_only_size_and_time_count(places, tmp_path):
    totals, _ = verify(places, tmp_path, VerifyOptions())
    assert (totals.same, totals.different) == (2, 2)


@pytest.mark.covers("ENG-VER-01")
def test_remirror_sends_what_differs_and_tells_the_state_before(places, tmp_path):
    totals, _ = verify(places, tmp_path, VerifyOptions(checksum=True, remirror=True))
    assert totals.different == 3
    (places[1] / "orphan").unlink()
    assert picture(places[1], directory_times=False) == picture(places[0], directory_times=False)


@pytest.mark.covers("ENG-VER-02")
def test_the_log_is_appended_to_or_begun_anew_and_has_a_maximum(places, tmp_path):
    verify(places, tmp_path, VerifyOptions())
    _, twice = verify(places, tmp_path, VerifyOptions())
    assert sum(line.startswith("--- Verification Start") for line in twice) == 2
    _, anew = verify(places, tmp_path, VerifyOptions(), append=False)
    assert sum(line.startswith("--- Verification Start") for line in anew) == 1
    totals, cut = verify(places, tmp_path, VerifyOptions(), append=False, maximum_bytes=200)
    assert totals.files == 4
    assert sum(len(line) + 1 for line in cut) <= 200
