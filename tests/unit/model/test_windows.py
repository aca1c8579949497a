"""Servers of both platforms, and what a Windows host says about itself."""

from __future__ import annotations

import msgspec
import pytest

from orchestrator.model.errors import ServerWithoutEngine, ServerWithoutWinRm
from orchestrator.model.servers import EngineAddress, Platform, Server, ServerName, WinRmAddress
from orchestrator.model.windows import RegistryValue, Windows, WindowsShare, WindowsVolume

LINUX = Server(ServerName("alpha"), ("10.0.0.1",), EngineAddress("10.0.0.1"))
WINDOWS = Server(ServerName("wsrc"), ("10.0.0.5",), winrm=WinRmAddress("wsrc.lab.example"))


def test_exactly_one_way_leads_to_a_server() -> None:
    for engine, winrm in ((None, None), (LINUX.engine, WINDOWS.winrm)):
        with pytest.raises(ValueError, match="exactly one"):
            Server(ServerName("alpha"), (), engine, winrm)


def test_the_way_tells_the_platform() -> None:
    assert (LINUX.platform, WINDOWS.platform) == (Platform.LINUX, Platform.WINDOWS)
    assert (LINUX.reached_at, WINDOWS.reached_at) == ("10.0.0.1:6320", "http://wsrc.lab.example:5985/wsman")
    with pytest.raises(ServerWithoutEngine, match="wsrc"):
        _ = WINDOWS.own_engine
    with pytest.raises(ServerWithoutWinRm, match="alpha"):
        _ = LINUX.own_winrm


def test_a_server_that_was_stored_before_windows_is_read() -> None:
    kept = b'{"name":"alpha","addresses":["10.0.0.1"],"engine":{"address":"10.0.0.1","control_port":6320,"fingerprint":"","token_file":null}}'
    assert msgspec.json.decode(kept, type=Server) == LINUX
    for server in (LINUX, WINDOWS):
        assert msgspec.json.decode(msgspec.json.encode(server), type=Server) == server


def test_a_document_with_both_ways_is_refused() -> None:
    kept = b'{"name":"a","addresses":[],"engine":{"address":"x"},"winrm":{"address":"x"}}'
    with pytest.raises(msgspec.ValidationError, match="exactly one"):
        msgspec.json.decode(kept, type=Server)


def test_a_path_lies_on_the_volume_with_the_longest_mount_point() -> None:
    host = Windows(
        volumes=(
            WindowsVolume("E", paths=("E:\\",)),
            WindowsVolume(label="inner", paths=("E:\\mnt\\",)),
        )
    )
    found = [host.volume(path) for path in ("e:\\data", "E:\\", "E:\\mnt", "E:\\mnt\\x", "E:\\mntx", "F:\\")]
    assert [one and (one.letter or one.label) for one in found] == ["E", "E", "inner", "inner", "E", None]


def test_names_are_found_in_any_letters() -> None:
    host = Windows(
        shares=(WindowsShare("Data", sddl="D:(A;;0x1301bf;;;S-1-5-21-1-2-3-513)(A;;0x1f01ff;;;BA)"),),
        registry=(RegistryValue("HKLM:\\SOFTWARE\\x", "Y", exists=True, value=1),),
    )
    share = host.share("DATA")
    assert share is not None
    assert share.sids == ("S-1-5-21-1-2-3-513",)
    value = host.registry_value("hklm:\\software\\X", "y")
    assert value is not None
    assert value.value == 1
    assert (host.share("other"), host.service("x"), host.address("10.0.0.1")) == (None, None, None)
