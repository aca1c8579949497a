"""The host's script by its functions: what it writes can be read again, and what it points to is on the disk before the pointer."""

from __future__ import annotations

import os
import subprocess
import tomllib
from pathlib import Path

import pytest

pytestmark = pytest.mark.covers("ENG-INS-01")
SCRIPT = Path(__file__).parents[3] / "scripts" / "host" / "engine-host.sh"
ODD = 'a "quoted" \\ name # not a comment'
SYNC = """#!/bin/sh
printf 'sync %s: %s\\n' "$*" "$(readlink "$PREFIX/current" 2>/dev/null)" >>"$PREFIX/heard"
"""


def functions(prefix: Path, words: str, **more: str) -> str:
    """Run words with the script's functions, whose places lie below ``prefix``; nothing of the machine is touched."""
    text = SCRIPT.read_text().partition("while [ $# -gt 0 ]; do")[0]
    text = text.replace("prefix=/opt/dtam", f"prefix={prefix}").replace("/etc/dtam", f"{prefix}/etc")
    done = subprocess.run(
        ["sh", "-c", f"{text}\n{words}", "engine-host.sh", "none"],
        capture_output=True, text=True, check=False, env={**os.environ, "PREFIX": str(prefix), **more},
    )  # fmt: skip
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def test_settings_are_toml_whatever_they_hold(tmp_path: Path) -> None:
    functions(tmp_path, 'name=$ODD listen=127.0.0.7 port=6400; state="/srv/a \\"b\\""; write_settings', ODD=ODD)
    written = tomllib.loads((tmp_path / "etc/dtengine.toml").read_text())
    assert written == {"name": ODD, "address": "127.0.0.7", "control_port": 6400, "state": '/srv/a "b"'}


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ('state = "/srv/state" # ours\n', "/srv/state"),
        ("state = '/srv/sta te'\n", "/srv/sta te"),
        ('name = "alpha"\n', "/var/lib/dtam/engine"),
        ('state = "torn', "/var/lib/dtam/engine"),
    ],
)
def test_settings_that_people_wrote_are_read_as_the_engine_reads_them(tmp_path: Path, text: str, state: str) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/dtengine.toml").write_text(text)
    assert functions(tmp_path, 'echo "$state"') == f"{state}\n"


def test_a_port_that_is_no_number_is_refused_before_anything_is_done(tmp_path: Path) -> None:
    said = functions(tmp_path, 'port="1; true"; (check_words) || echo refused')
    assert "failed\tcheck\tthe port 1; true is not a number" in said
    assert said.endswith("refused\n")
    assert list(tmp_path.iterdir()) == []


def test_a_release_is_on_the_disk_before_it_is_current(tmp_path: Path) -> None:
    programs, releases = tmp_path / "bin", tmp_path / "releases"
    programs.mkdir()
    for release in ("one", "two"):
        (releases / release).mkdir(parents=True)
    (programs / "sync").write_text(SYNC)
    (programs / "sync").chmod(0o755)
    (tmp_path / "current").symlink_to("releases/one")
    functions(tmp_path, "point_to two", PATH=f"{programs}:{os.environ['PATH']}")
    assert os.readlink(tmp_path / "current") == "releases/two"
    assert (tmp_path / "heard").read_text().splitlines() == [
        f"sync -f {releases}: releases/one",
        f"sync -f {tmp_path}: releases/two",
    ]
