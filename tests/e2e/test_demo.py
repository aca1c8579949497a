"""``make demo`` keeps its promises: the whole main job on real processes, and a report that says so."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROMISED = {
    "detection_s", "failover_s", "outage_s", "acknowledged_writes", "lost_writes", "mirrored_bytes", "replicated_bytes",
    "restored_bytes", "files_compared", "files_different", "capture", "steps",
}  # fmt: skip


@pytest.mark.timeout(400)
@pytest.mark.covers("AM-15", "AM-27", "AM-30", "AM-35", "ENG-FO-01", "ENG-FO-09", "ENG-RST-01", "ENG-RST-02", "DNS-01")
def test_the_demo_loses_its_source_and_comes_back_without_a_loss(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TERM": "dumb"}
    done = subprocess.run(
        [sys.executable, "-m", "demo"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-3000:]
    report = json.loads((tmp_path / "demo-report.json").read_text())
    assert set(report) >= PROMISED
    assert report["good"]
    assert report["files_different"] == 0
    assert report["files_compared"] > 400
    assert report["missing_writes"] == report["wrong_reads"] == []
    assert report["acknowledged_writes"] > 500
    assert report["fenced_after_return"]
    assert [step["name"] for step in report["steps"]][-1] == "Protected again"
    assert "\x1b[" not in done.stdout, "colours are for terminals only"
    assert not list(tmp_path.glob("dtam-demo-*"))
