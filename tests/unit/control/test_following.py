"""What a target makes ready of the source's shares, when it asks, and what it leaves as it is."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchestrator.engine.control import following, schema
from orchestrator.engine.control.answers import SambaFacts, ShareFacts
from orchestrator.engine.control.errors import Conflict
from orchestrator.engine.control.following import Following, names_of, placed
from orchestrator.engine.control.schema_shares import FollowedShares
from orchestrator.engine.transfer.messages import SharesAnswer

TARGET_KEY = "b" * 64


def side(name: str, key: str) -> schema.EngineSide:
    return schema.EngineSide(name=name, engine_id=key[0] * 32, control_address="127.0.0.1", fingerprint=key)


def document(told: list[dict[str, Any]], **followed: Any) -> schema.Protection:
    return schema.Protection(
        id="files",
        application="fileprint",
        role="target",
        source=side("alpha", "a" * 64),
        target=side("beta", TARGET_KEY),
        roots=[schema.Root(source_path="/srv/docs", target_path="/replica/docs")],
        replication_set="files",
        failover=schema.FailoverSettings(shares=FollowedShares(**followed)),
        takeover={"shares": {"conf": "/etc/samba/smb.conf", "shares": told}},
    )


def facts(name: str, path: str = "/srv/docs", **more: Any) -> ShareFacts:
    return ShareFacts(name=name, path=path, sddl="D:", **more)


def waiting(name: str, path: str = "/replica/docs", comment: str = "") -> dict[str, Any]:
    return {"name": name, "path": path, "comment": comment, "options": {}, "sddl": "D:"}


def test_what_is_followed_lies_in_the_replica():
    found = [
        facts("docs"),
        facts("plans", "/srv/docs/plans"),
        facts("beside", "/srv/docs2"),
        facts("C$", administrative=True),
        facts("each", "/srv/docs/%U"),
        facts("odd", acl_problem="it is none"),
        facts("Left", "/srv/docs"),
    ]
    assert placed(document([], exclude=["left"]), found) == [waiting("docs"), waiting("plans", "/replica/docs/plans")]
    assert placed(document([], include=["DOCS"]), found) == [waiting("docs")]


def test_what_differs_in_words():
    before = [waiting("docs"), waiting("old"), waiting("same")]
    now = [waiting("docs", comment="new words"), waiting("same"), waiting("plans")]
    assert names_of(before, now) == "plans new; old gone; docs changed"
    assert names_of(now, list(reversed(now))) == ""


class Desk:
    """A following whose source answers what it is told to."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, told: list[dict[str, Any]], **more: Any
    ) -> None:
        self.document, self.answer = document(told, **more), SharesAnswer(given=True)
        self.told: list[str] = []
        self.made: list[Any] = []
        self.waits = True
        own = SimpleNamespace(certificate_file=tmp_path / "c", key_file=tmp_path / "k")
        peer = SimpleNamespace(engine_id="a" * 32, name="alpha", address="::1", data_port=1, certificate_pem="")
        rooms = SimpleNamespace(
            identity=own,
            layout=SimpleNamespace(root=tmp_path),
            peers=SimpleNamespace(listed=lambda: [peer]),
            documents=SimpleNamespace(get=lambda _: self.document, change=self._change),
            events=SimpleNamespace(tell=lambda _kind, says, **_more: self.told.append(says)),
        )
        monkeypatch.setattr(following.tls, "Peer", lambda *_: None)
        monkeypatch.setattr(following.promising, "ask_for_shares", self._ask)
        monkeypatch.setattr(Following, "_make", lambda _self, wanted: self.made.append(wanted["shares"]))
        self.following = Following("files", rooms, lambda: self.waits)  # type: ignore[arg-type]

    def _ask(self, *_: object) -> SharesAnswer:
        return self.answer

    def _change(self, _: str, change: Any) -> None:
        self.document = change(schema_record(self.document)).document

    def has(self, *shares: ShareFacts) -> None:
        self.answer = SharesAnswer(given=True, shares=[one.model_dump(mode="json") for one in shares])


def schema_record(held: schema.Protection) -> Any:
    return following.ProtectionRecord(document=held)


def test_what_changed_is_made_ready_once_and_known_from_then_on(monkeypatch, tmp_path):
    desk = Desk(monkeypatch, tmp_path, [waiting("docs")])
    desk.has(facts("docs"), facts("plans"))
    desk.following.look()
    desk.following.look()
    assert desk.made == [[waiting("docs"), waiting("plans")]]
    assert desk.document.takeover["shares"]["shares"] == desk.made[0]
    assert desk.told == ["files: the shares of alpha changed, and wait here anew: plans new"]
    desk.following.follow()
    assert desk.made == [desk.made[0]] * 2
    assert len(desk.told) == 1


def test_shares_that_somebody_made_as_they_were_before_are_made_anew(monkeypatch, tmp_path):
    desk = Desk(monkeypatch, tmp_path, [waiting("docs", comment="new words")])
    desk.has(facts("docs", comment="new words"))
    (tmp_path / "identity").mkdir()
    (tmp_path / "identity" / "files.newest-shares.json").write_text(json.dumps({"shares": [waiting("docs")]}))
    desk.following.look()
    assert desk.made == [[waiting("docs", comment="new words")]]


def test_a_source_that_cannot_look_or_names_none_changes_nothing(monkeypatch, tmp_path):
    desk = Desk(monkeypatch, tmp_path, [waiting("docs")])
    for answer in (SharesAnswer(given=False, says="testparm failed"), SharesAnswer(given=True)):
        desk.answer = answer
        for _ in range(2):
            desk.following.look()
        with pytest.raises(Conflict):
            desk.following.follow()
    assert desk.made == []
    assert [says.partition("of alpha: ")[0] for says in desk.told] == desk.told
    assert len(desk.told) == 2
    assert desk.following.problem
    desk.has(facts("docs"))
    desk.following.look()
    assert desk.following.problem == ""


def test_one_that_serves_asks_nobody(monkeypatch, tmp_path):
    desk = Desk(monkeypatch, tmp_path, [waiting("docs")])
    desk.has(facts("plans"))
    desk.waits = False
    desk.following.look()
    with pytest.raises(Conflict):
        desk.following.follow()
    desk.waits = True
    desk.following.retire()
    desk.following.look()
    assert desk.made == []


def test_it_looks_at_the_interval_until_it_is_stopped(monkeypatch, tmp_path):
    desk = Desk(monkeypatch, tmp_path, [waiting("docs")], interval_s=1)
    monkeypatch.setattr(following, "FIRST_LOOK_S", 0.01)

    async def looks_twice() -> int:
        stop, count = asyncio.Event(), 0
        loop = asyncio.get_running_loop()

        def looked() -> None:
            nonlocal count
            count += 1
            if count == 2:
                loop.call_soon_threadsafe(stop.set)

        monkeypatch.setattr(desk.following, "look", looked)
        await asyncio.wait_for(desk.following.run(stop), 60)
        return count

    assert asyncio.run(looks_twice()) == 2


def test_the_source_tells_its_target_alone_and_only_all_of_it(monkeypatch):
    held = document([])
    found = SambaFacts(installed=True, conf="/etc/samba/smb.conf", shares=[facts("docs")])
    monkeypatch.setattr(following.sharefacts, "gather", lambda _: found)
    target, other = SimpleNamespace(name="beta", fingerprint=TARGET_KEY), SimpleNamespace(name="x", fingerprint="c")
    assert [one["name"] for one in following.told(held, target).shares] == ["docs"]
    assert "nothing to ask" in following.told(held, other).says
    found = found.model_copy(update={"problems": ["net failed"]})
    assert following.told(held, target) == SharesAnswer(given=False, says="net failed")
