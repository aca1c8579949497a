"""Plans of a Samba file server: what a target takes over, in which order, out of which documents, and how it is proposed."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestrator import scripting
from orchestrator.model.conditions import Stage
from orchestrator.model.servers import Where
from orchestrator.model.settings import Settings
from orchestrator.model.steps import Step
from orchestrator.sdk import addressing
from orchestrator.sdk.application import Planning
from plugins.fileserver import discover, taking
from plugins.fileserver.application import FileServer
from tests.faults.rehearsal import pair, protection, scripts
from tests.unit.fileserver.test_sharing_checks import DOCS, SOUND, THEIRS, given, replace

IDENTITY = {"type": "identity", "identity": {"addresses": [{"source": "10.0.0.1", "interface": "eth0"}]}}


def planning(settings: Settings | None = None, **more: Any) -> Planning:
    whole = replace(protection(Stage.ENABLED, 1), settings=settings or given())
    return Planning(whole, SOUND, 1, scripts()[0], SOUND.names.changes, by="test", **more)


def ids(steps: Any) -> list[str]:
    return [step.id for step in steps]


def in_script(steps: list[Step], script: str) -> list[str]:
    return [step.id for step in steps if step.script is not None and step.script.script == script]


@pytest.mark.covers("AM-09")
def test_the_target_takes_shares_and_names_before_samba_starts_and_leads_clients_after() -> None:
    steps = list(FileServer().failover(planning()))
    assert in_script(steps, "pre_failover") == ["data-present"]
    assert in_script(steps, "post_failover") == [
        "put-shares", "take-names", "start-files-target", "take-spns", "names-to-target", "clients-served",
    ]  # fmt: skip


def test_by_identity_addresses_come_instead_of_dns() -> None:
    given_names = replace(planning(given(**IDENTITY)), names=None)
    steps = list(FileServer().failover(given_names))
    assert in_script(steps, "post_failover")[-2:] == ["take-addresses", "clients-served"]
    assert not tuple(FileServer().refusals("failover", replace(given_names, forced=True)))


def test_everything_is_given_back_in_reverse_before_the_epoch_is() -> None:
    steps = list(FileServer().failback(planning(given(**IDENTITY))))
    order = in_script(steps, "pre_failback")
    assert order == [
        "stop-files-target", "give-addresses-back", "give-spns-back", "give-names-back", "take-shares-away",
    ]  # fmt: skip
    every = ids(steps)
    assert every.index("take-shares-away") < every.index("release-target") < every.index("epoch-source")


def test_a_samba_file_server_is_not_handed_over() -> None:
    reasons = " ".join(FileServer().refusals("failover", planning(graceful=True)))
    assert "open files" in reasons


def test_the_documents_say_all_that_the_target_needs() -> None:
    made = taking.documents(planning(given(**IDENTITY)))
    assert made["shares"]["shares"][0]["sddl"] == DOCS.sddl
    assert made["name"]["netbios"] == ["ALPHA"]
    assert made["name"]["dns"] == ["alpha.lab.example", "files.lab.example"]
    assert made["spns"]["directory"]["principal"] == "BETA$"
    assert made["spns"]["names"] == ["ALPHA", "alpha.lab.example", "files.lab.example"]
    assert made["addresses"]["addresses"] == [{"address": "10.0.0.1", "prefix": 24, "interface": "eth0"}]
    assert taking.documents(replace(planning(), protection=protection(Stage.ENABLED, 1))) == {}


def test_the_scripts_are_rendered_whole() -> None:
    steps = [*FileServer().failover(planning()), *FileServer().failback(planning())]
    for name in ("pre_failover", "post_failover", "pre_failback", "post_failback"):
        made = scripting.render(name, "fileprint_alpha_beta", steps)
        assert made.step_ids
    text = scripting.render("post_failover", "fileprint_alpha_beta", steps).text
    assert "dtam step shares take" in text
    assert DOCS.sddl in text


@pytest.mark.covers("FS-01")
def test_shares_propose_data_service_and_addresses() -> None:
    servers = pair()
    proposed = discover.defaults(servers, SOUND, {"connection": {"volumes": [{"source_path": "/data"}]}})
    assert [one["source_path"] for one in proposed["connection"]["roots"]] == ["/data", "/srv/files/docs"]
    assert proposed["failover"]["samba"] == {}
    assert proposed["failover"]["services"][0]["name"] == "smbd"
    left_out = discover.defaults(servers, SOUND, {"connection": {"shares": {"exclude": ["docs"]}}})
    assert left_out["connection"]["roots"] == []
    assert "samba" not in left_out["failover"]
    assert addressing.takeable(["10.0.0.1", "10.9.0.1"], SOUND) == [
        {"source": "10.0.0.1", "interface": "eth0", "prefix": 24}
    ]


def test_nothing_of_samba_is_planned_for_a_service_of_another_kind() -> None:
    plain = replace(planning(), protection=protection(Stage.ENABLED, 1))
    every = [*FileServer().failover(plain), *FileServer().failback(plain), *FileServer().protect(plain)]
    assert not {"put-shares", "take-names", "take-spns", "data-present"} & set(ids(every))
    assert msgspec.json.encode(every)
    assert all(step.where in set(Where) for step in every)


def test_shares_wait_on_the_target_from_protect_to_the_end() -> None:
    known, plugin = planning(), FileServer()
    protect = list(plugin.protect(known))
    assert ids(protect).index("keep-shares") > ids(protect).index(next(one for one in ids(protect) if "in-step" in one))
    (keep,) = (one for one in protect if one.id == "keep-shares")
    assert (keep.downtime, keep.do.arguments["epoch"], keep.do.arguments["segments"]) == (False, 1, ["keep-shares"])
    assert "drop-shares" not in ids(plugin.unprotect(known)), "nothing was seen waiting"
    waiting = replace(DOCS, path="/srv/replica/docs", options={"available": "No"})
    target = replace(SOUND.target, samba=replace(THEIRS, shares=(waiting,)), takeover={"shares": taking.shares(known)})
    left = ids(plugin.unprotect(replace(known, inventory=replace(SOUND, target=target))))
    assert left.index("drop-shares") < left.index("no-document-target")
