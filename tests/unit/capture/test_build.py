"""Building: once for each version of the sources, whole or not at all, and one clear line when it cannot be done."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest

from orchestrator.engine.capture import build
from orchestrator.engine.capture.errors import BuildFailed


@pytest.fixture
def sources(tmp_path, monkeypatch) -> Path:
    """A tiny program in place of the real one."""
    folder = tmp_path / "c"
    folder.mkdir()
    (folder / "main.c").write_text("int main(void) { return 0; }\n")
    monkeypatch.setattr(build, "SOURCES", folder)
    monkeypatch.setattr(build, "LIBRARIES", ())
    monkeypatch.setattr(build, "_library_flags", lambda _libraries: [])
    return folder


def test_the_real_program_is_built_and_says_how_it_is_started(needs, tmp_path) -> None:
    needs("fuse")
    binary = build.ensure_built(tmp_path / "cache")
    assert os.spawnv(os.P_WAIT, str(binary), [str(binary)]) == 2
    assert stat.S_IMODE(binary.stat().st_mode) == 0o700
    assert stat.S_IMODE(binary.parent.stat().st_mode) == 0o700
    assert [entry.name for entry in binary.parent.iterdir()] == [binary.name], "no drafts are left"


def test_built_once_for_each_version_of_the_sources(needs, tmp_path, sources, monkeypatch) -> None:
    needs("fuse")
    first = build.ensure_built(tmp_path / "cache")
    monkeypatch.setenv("PATH", "/nowhere")
    assert build.ensure_built(tmp_path / "cache") == first
    monkeypatch.undo()
    monkeypatch.setattr(build, "SOURCES", sources)
    (sources / "main.c").write_text("int main(void) { return 1; }\n")
    monkeypatch.setattr(build, "_library_flags", lambda _libraries: [])
    assert build.ensure_built(tmp_path / "cache") != first


def test_a_missing_compiler_is_one_line_with_the_command_that_helps(tmp_path, sources, monkeypatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildFailed) as failure:
        build.ensure_built(tmp_path / "cache")
    assert str(failure.value) == "the capture program cannot be built: gcc is not installed"
    assert "apt-get install" in failure.value.hint


def test_a_missing_library_is_named(tmp_path, monkeypatch) -> None:
    if shutil.which("pkg-config") is None or shutil.which("gcc") is None:
        pytest.skip("pkg-config and gcc are not installed")
    monkeypatch.setattr(build, "LIBRARIES", ("no-such-library",))
    with pytest.raises(BuildFailed, match="no-such-library"):
        build.ensure_built(tmp_path / "cache")


def test_the_compiler_s_first_complaint_is_told_and_nothing_is_left(needs, tmp_path, sources) -> None:
    needs("fuse")
    (sources / "main.c").write_text("int main(void) { return x; }\n")
    with pytest.raises(BuildFailed, match="'x' undeclared"):
        build.ensure_built(tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []
