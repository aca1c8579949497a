"""Reading the kernel's list of mounts."""

from __future__ import annotations

from pathlib import Path

from orchestrator.engine.capture import mounts


def test_a_capture_mount_is_recognised_with_any_name() -> None:
    line = (
        r"91 25 0:53 / /srv/with\040space\011tab\134 rw,nosuid shared:1 - fuse.dtcapture /srv rw,user_id=0,allow_other"
    )
    found = mounts._parsed(line)
    assert found is not None
    assert found.path == Path("/srv/with space\ttab\\")
    assert found.options == "rw,nosuid"


def test_other_mounts_are_not_ours() -> None:
    assert mounts._parsed("91 25 0:53 / /srv rw - fuse.sshfs host:/ rw") is None
    assert mounts._parsed("91 25 0:53 / /fuse.dtcapture rw - ext4 /dev/vda rw") is None


def test_a_plain_directory_is_neither_captured_nor_dead(tmp_path) -> None:
    assert not mounts.is_captured(tmp_path)
    assert not mounts.is_dead(tmp_path)
    assert not mounts.is_dead(tmp_path / "absent")
