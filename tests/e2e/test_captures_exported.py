"""A captured directory that Samba exports: clients write through smbd onto the capture, and the target is identical."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchestrator.engine.client import schema
from tests.e2e.conftest import Engines, free_port, wait_for
from tests.e2e.test_engine_pair import Pair, tree

ADDRESS = "127.0.0.5"
CONF = """\
[global]
    server role = standalone server
    interfaces = {address}/8
    bind interfaces only = yes
    smb ports = {port}
    disable netbios = yes
    map to guest = Bad User
    guest account = root
    private dir = {place}
    state directory = {place}
    cache directory = {place}
    lock directory = {place}
    pid directory = {place}
    ncalrpc dir = {place}/ncalrpc
    log file = {place}/log
    load printers = no
    ea support = yes
    store dos attributes = yes
[data]
    path = {share}
    guest ok = yes
    read only = no
    vfs objects = acl_xattr streams_xattr
"""
WORDS = """\
mkdir docs
cd docs
put {blob} first
put {blob} second
rename first renamed
put {blob} "a name with blanks ä"
mkdir deep
cd deep
put {blob} third
cd ..
del second
setmode renamed +rh
utimes renamed -1 -1 2020:01:02-03:04:05 -1
mkdir empty
rmdir empty
"""


@dataclass
class Smbd:
    """A file server of its own, on an address and a port of its own."""

    port: int
    place: Path

    def client(self, words: str) -> str:
        done = subprocess.run(
            ["smbclient", "-N", "-s", str(self.place / "smb.conf"), "-p", str(self.port), f"//{ADDRESS}/data"],
            input=words, capture_output=True, text=True, check=False,
        )  # fmt: skip
        return done.stdout + done.stderr

    def answers(self) -> bool:
        return "blocks available" in self.client("ls\n")


@pytest.fixture
def smbd(needs: Callable[..., None], tmp_path: Path) -> Iterator[Smbd]:
    needs("root", "fuse", "samba")
    place, share = tmp_path / "samba", tmp_path / "source"
    place.mkdir()
    share.mkdir()
    made = Smbd(free_port(ADDRESS), place)
    (place / "smb.conf").write_text(CONF.format(address=ADDRESS, port=made.port, place=place, share=share))
    with (place / "output").open("wb") as output:
        process = subprocess.Popen(
            ["smbd", "--foreground", "--no-process-group", "-s", str(place / "smb.conf")],
            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True,
        )  # fmt: skip
    try:
        yield made
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.covers("ENG-CAP-08")
def test_what_clients_write_through_samba_is_replicated(
    smbd: Smbd, engines: Engines, tmp_path: Path, until: object
) -> None:
    alpha, beta = engines.make("alpha"), engines.make("beta", "127.0.0.3")
    engines.pair(alpha, beta)
    source, target, blob = tmp_path / "source", tmp_path / "target", tmp_path / "blob"
    blob.write_bytes(os.urandom(300_000))
    with alpha.local() as client:
        client.mount(schema.MountRequest(path=str(source), capture="fuse"))
        client.create_replication_set(schema.ReplicationSet(name="data", root=str(source)))
    wait_for(smbd.answers, 60, "smbd")
    pair = Pair(alpha, beta, source, target, until)
    pair.connect()
    pair.wait_good()
    said = smbd.client(WORDS.format(blob=blob))
    assert "NT_STATUS_ACCESS_DENIED" not in said, said
    assert {str(path.relative_to(source)) for path in source.rglob("*")} == {
        "docs", "docs/renamed", "docs/a name with blanks ä", "docs/deep", "docs/deep/third",
    }, said  # fmt: skip
    for path in (source / "docs/renamed", source / "docs/deep/third"):
        assert path.read_bytes() == blob.read_bytes()
    pair.settle()
    assert tree(target) == tree(source)
    for name in ("docs", "docs/renamed"):
        names = os.listxattr(source / name)
        assert "user.DOSATTRIB" in names
        assert {one: os.getxattr(target / name, one) for one in os.listxattr(target / name)} == {
            one: os.getxattr(source / name, one) for one in names
        }
