"""Replication sets as the daemon keeps them: names, generations, places, sizes (chapter 4 of the Linux guide), on real engines."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.engine.client import AnswerRefused, schema
from tests.e2e.conftest import wait_for


@pytest.fixture(scope="module")
def two(module_engines):
    """Paired engines; what the tests make has names of their own."""
    alpha, beta = module_engines.make("alpha"), module_engines.make("beta", "127.0.0.3")
    module_engines.pair(alpha, beta)
    return alpha, beta


@pytest.fixture
def captured(two, tmp_path):
    """A directory that alpha captures and a set of it."""

    def make(name: str, engine: int = 0, **settings: object) -> Path:
        root = tmp_path / name
        root.mkdir()
        (root / "file").write_text("data")
        with two[engine].local() as client:
            client.mount(schema.MountRequest(path=str(root), capture="watcher"))
            client.create_replication_set(schema.ReplicationSet(name=name, root=str(root), **settings))
        return root

    yield make
    for engine in two:
        with engine.local() as client:
            for connection in client.connections():
                client.disconnect(connection.key)
            for mount in client.mounts():
                client.unmount(mount.path)
            for one in client.replication_sets():
                client.delete_replication_set(one.name)


def to(name: str, place: Path | str, **settings: object) -> schema.ConnectionRequest:
    mapping = schema.Mapping(kind="custom", target_root=str(place))
    return schema.ConnectionRequest(replication_set=name, target="beta", mapping=mapping, **settings)


def good(client, key: str) -> None:
    wait_for(lambda: client.connection(key).target_data_state == "good", 60, f"good: {client.connection(key)}")


@pytest.mark.covers("ENG-RS-04")
@pytest.mark.parametrize("character", list('.?<>:"/\\*|'))
def test_names_and_places_with_illegal_characters_are_refused_by_naming_them(two, captured, tmp_path, character):
    name, shown = f"a{character}b", repr(character)
    with two[0].local() as client:
        with pytest.raises(AnswerRefused) as refused:
            client._send(dict, "POST", "/v1/replication-sets", {"name": name, "root": str(tmp_path)})
        assert f"contains {shown}" in str(refused.value)
        assert client.replication_sets() == []
        if character == "/":
            return  # in a path it parts names
        captured("placed")
        with pytest.raises(AnswerRefused) as refused:
            client.connect(to("placed", tmp_path / f"replica{character}"))
        assert f"contains {shown}" in str(refused.value)
        assert client.connections() == []


@pytest.mark.covers("ENG-RS-01")
def test_renaming_a_saved_set_copies_it(two, captured):
    captured("first", rules=[schema.Rule(path="file")])
    with two[0].local() as client:
        copied = client.rename_replication_set("first", "second")
        assert (copied.name, copied.generation, copied.rules) == ("second", 1, [schema.Rule(path="file")])
        assert {one.name for one in client.replication_sets()} == {"first", "second"}
        with pytest.raises(AnswerRefused, match="one of that name exists"):
            client.rename_replication_set("first", "second")


@pytest.mark.covers("ENG-RS-05")
def test_each_save_raises_the_generation_and_a_stale_one_overwrites_nothing_also_after_a_restart(two, captured):
    captured("saved")
    with two[0].local() as client:
        (first,) = client.replication_sets()
        second = client.save_replication_set(first.model_copy(update={"rules": [schema.Rule(path="one")]}))
        assert (first.generation, second.generation) == (1, 2)
    two[0].stop()
    two[0].start()
    with two[0].local() as client:
        with pytest.raises(AnswerRefused, match="generation 1 was read, 2 is current"):
            client.save_replication_set(first.model_copy(update={"rules": [schema.Rule(path="two")]}))
        assert client.replication_sets() == [second]


@pytest.mark.covers("ENG-RS-06")
def test_two_sets_share_no_place_and_the_same_data_goes_out_by_one_set_only(two, captured, tmp_path):
    root, _ = captured("one"), captured("other")
    with two[0].local() as client:
        client.connect(to("one", tmp_path / "replica"))
        for place in (tmp_path / "replica", tmp_path / "replica" / "below", tmp_path):
            with pytest.raises(AnswerRefused, match="replication set 'one' already goes to"):
                client.connect(to("other", place))
        client.create_replication_set(schema.ReplicationSet(name="again", root=str(root)))
        with pytest.raises(AnswerRefused, match="already replicated by 'one'"):
            client.connect(to("again", tmp_path / "elsewhere"))
        assert len(client.connections()) == 1
    with two[1].local() as beta:
        assert len(beta.replicas()) <= 1


@pytest.mark.covers("ENG-RS-06")
def test_a_place_that_another_sources_set_has_is_refused_by_the_target(two, captured, module_engines, tmp_path):
    gamma = module_engines.make("gamma", "127.0.0.4")
    module_engines.pair(gamma, two[1])
    root = tmp_path / "gammas"
    root.mkdir()
    captured("alphas")
    place = tmp_path / "replica"
    with two[0].local() as client:
        good(client, client.connect(to("alphas", place)).key)
    with gamma.local() as client:
        client.mount(schema.MountRequest(path=str(root), capture="watcher"))
        client.create_replication_set(schema.ReplicationSet(name="gammas", root=str(root)))
        refused = client.connect(to("gammas", place))
        said = f"{place} is a replica of alphas of alpha"
        wait_for(lambda: said in client.connection(refused.key).last_error, 30, "the target's refusal")
        client.disconnect(refused.key)
    assert [path.name for path in place.iterdir()] == ["file"]
    gamma.stop()


@pytest.mark.covers("ENG-RS-07")
def test_the_size_is_calculated_when_asked_and_beside_a_mirror_unless_it_is_off(two, captured, tmp_path):
    root = captured("sized", rules=[schema.Rule(), schema.Rule(path="left-out", include=False)])
    for name, size_bytes in (("big", 100_000), ("left-out", 5_000)):
        (root / name).write_bytes(b"x" * size_bytes)
    captured("fast")
    with two[0].local() as client:
        size = client.replication_set_size("sized")
        assert (size.files, size.bytes) == (2, 100_004)
        calculated = client.connect(to("sized", tmp_path / "sized-replica")).key
        good(client, calculated)
        status = wait_for(lambda: (s := client.connection(calculated)).mirror_bytes_total and s, 30, "the size")
        assert (status.mirror_bytes_total, status.mirror_bytes_remaining, status.mirror_percent) == (100_004, 0, 100.0)
        fast = client.connect(to("fast", tmp_path / "fast-replica", calculate_size=False)).key
        good(client, fast)
        status = client.connection(fast)
        assert (status.mirror_bytes_total, status.mirror_bytes_remaining, status.mirror_percent) == (None, None, None)


@pytest.mark.covers("ENG-RS-08")
def test_a_connected_set_warns_when_saved_and_cannot_be_deleted(two, captured, tmp_path):
    captured("held")
    with two[0].local() as client:
        (held,) = client.replication_sets()
        changed = client.save_replication_set(held)
        assert changed.warning == "", "nobody uses it"
        key = client.connect(to("held", tmp_path / "replica")).key
        changed = client.save_replication_set(changed)
        assert "'held' is connected" in changed.warning
        assert "difference mirror" in changed.warning
        assert changed.warning in [event.sentence for event in client.events()]
        with pytest.raises(AnswerRefused, match="deleting replication set held is not possible now: it is connected"):
            client.delete_replication_set("held")
        assert client.replication_sets()[0].warning == ""
        client.disconnect(key)
        client.delete_replication_set("held")
        assert client.replication_sets() == []


@pytest.mark.covers("ENG-RS-09")
def test_a_server_is_no_target_of_its_own(two):
    alpha, _ = two
    with alpha.local() as client:
        shown = client.server()
        token = client.create_token("self", schema.Scope.ADMIN).token
        request = schema.PairRequest(
            address=alpha.address, control_port=shown.control_port, fingerprint=shown.fingerprint, token=token
        )
        with pytest.raises(AnswerRefused, match="it is this engine itself"):
            client.pair(request)
        client.revoke_token("self")
        assert [peer.name for peer in client.peers()] == ["beta"]


@pytest.mark.covers("ENG-RS-09")
@pytest.mark.parametrize("below", ["", "deeper/replica"])
def test_each_protects_the_other_but_never_into_the_others_own_set(two, captured, tmp_path, below):
    captured("alphas")
    betas = captured("betas", engine=1)
    with two[0].local() as client:
        key = client.connect(to("alphas", betas / below)).key
        wait_for(lambda: f"{betas / below} is captured here" in client.connection(key).last_error, 30, "a refusal")
        assert client.connection(key).target_data_state != "good"
    assert [path.name for path in betas.iterdir()] == ["file"]


@pytest.mark.covers("ENG-RS-09")
def test_a_chain_that_ends_where_it_began_is_refused(two, captured, tmp_path):
    root = captured("first")
    replica = tmp_path / "replica"
    with two[0].local() as client:
        good(client, client.connect(to("first", replica)).key)
    with two[1].local() as beta:
        beta.mount(schema.MountRequest(path=str(replica), capture="watcher"))
        beta.create_replication_set(schema.ReplicationSet(name="back", root=str(replica)))
        mapping = schema.Mapping(kind="custom", target_root=str(root))
        key = beta.connect(schema.ConnectionRequest(replication_set="back", target="alpha", mapping=mapping)).key
        wait_for(lambda: f"{root} is captured here" in beta.connection(key).last_error, 30, "a refusal")
    assert [path.name for path in root.iterdir()] == ["file"]
