"""Principal names in a real domain: taken and given back under the eyes of an observer, killed with SIGKILL at every point."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from orchestrator.directory.opening import open_directory
from orchestrator.directory.port import DirectoryAccess
from orchestrator.identity.spns import USUAL_ALIASES, Aliases
from tests.lab.domain import Lab
from tests.lab.hosts import PROJECT
from tests.lab.identity_steps import (
    MOMENTS,
    SOURCE,
    TARGET,
    UNDO,
    access,
    put_accounts,
    read_accounts,
    spn_document,
    step,
    step_killed,
)
from tests.lab.waiting import until

ALIASES = Aliases.of([USUAL_ALIASES])


def accounts(lab: Lab, controller: str = "dc1") -> dict[str, list[str]]:
    """What the two accounts hold now, by one controller."""
    return lab.host("beta").call(_accounts, {**access(lab), "controllers": [f"{controller}.{lab.domain}"]})


def _accounts(document: dict[str, Any]) -> dict[str, list[str]]:
    with open_directory(DirectoryAccess.from_document(document)) as directory:
        return read_accounts(directory)


class Observer:
    """Asks one controller throughout, from another host."""

    def __init__(self, lab: Lab, controller: str) -> None:
        self._host = lab.host("client")
        self._stop, self._out = (f"/run/observer.{controller}.{word}" for word in ("stop", "out"))
        for one in (self._stop, self._out):
            self._host.path(one).unlink(missing_ok=True)
        document = json.dumps({**access(lab), "controllers": [f"{controller}.{lab.domain}"]})
        words = [sys.executable, "-m", "tests.lab.identity_steps", document, self._stop, self._out]
        given = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        self._process = self._host.popen(words, env={"PYTHONPATH": str(PROJECT)}, **given)
        until("the observer watches", self._watches, 60)

    def _watches(self) -> bool:
        assert self._process.poll() is None, self._process.communicate()[0]
        return self._host.path(self._out).exists()

    def seen(self) -> list[tuple[dict[str, list[str]], int]]:
        """Each state that was seen, and how often."""
        self._host.path(self._stop).touch()
        said, _ = self._process.communicate(timeout=60)
        assert self._process.returncode == 0, said
        return [(state, count) for state, count in json.loads(self._host.path(self._out).read_text())]


@contextmanager
def observed(lab: Lab, *controllers: str) -> Iterator[None]:
    """Nobody ever sees two accounts of which each could be asked for the same name."""
    observers = [Observer(lab, one) for one in controllers]
    try:
        yield
    finally:
        seen = [one.seen() for one in observers]
    for states in seen:
        assert sum(count for _, count in states) > 10
        assert len(states) > 1, "the observer saw the names move"
        assert not [state for state, _ in states if is_doubled(state)]


def is_doubled(state: dict[str, list[str]]) -> bool:
    """Whether both accounts hold one name, by itself or by an alias."""
    return any(ALIASES.collide(*pair) for pair in itertools.product(state[SOURCE], state[TARGET]))


@pytest.mark.covers("ID-02")
def test_killed_at_every_point_and_run_again_there_are_never_two_owners(lab: Lab) -> None:
    beta, document, before = lab.host("beta"), spn_document(lab, await_s=0), accounts(lab)
    assert step(beta, "spns", "show", document).code == 1
    with observed(lab, "dc1"):
        for taking, returning in zip(MOMENTS, reversed(MOMENTS), strict=True):
            assert step_killed(beta, taking, "take", document), taking
            assert not step_killed(beta, "", "take", document)
            now = accounts(lab)
            assert {f"cifs/alpha.{lab.domain}", "cifs/alpha"} <= set(now[TARGET])
            assert not [one for one in now[SOURCE] if one.startswith("HOST/")]
            assert step_killed(beta, returning, "back", document), returning
            assert not step_killed(beta, "", "back", document)
            assert accounts(lab) == before


@pytest.mark.covers("ID-02")
def test_every_controller_follows_without_a_moment_of_two_owners(lab: Lab) -> None:
    lab.host("dc2")
    beta, document, before = lab.host("beta"), spn_document(lab, await_s=30), accounts(lab)
    until("the second controller has heard of what was before", lambda: accounts(lab, "dc2") == before, 420)
    with observed(lab, "dc1", "dc2"):
        said = step(beta, "spns", "take", document)
        assert said.code == 0, said.error
        assert said.document["measured"]["without_owner_s"] > 0
        assert said.document["remarks"] == [], "dc2 shows it"
        assert set(step(beta, "spns", "take", document).states.values()) == {"already"}
        assert step(beta, "spns", "back", spn_document(lab, await_s=0)).code == 0
    assert accounts(lab) == before
    assert beta.path(f"{UNDO}/test.spns.json.done").stat().st_mode & 0o777 == 0o600


@pytest.mark.covers("ID-02")
@pytest.mark.parametrize("name", ["http/alpha.lab.example", "cifs/alpha"])
def test_a_name_of_a_third_account_refuses_the_move(lab: Lab, name: str) -> None:
    beta, dc1, before = lab.host("beta"), lab.host("dc1"), accounts(lab)
    dc1.run(["samba-tool", "spn", "add", name, "reader"])
    respelled = accounts(lab)  # a controller of Samba's writes the rival HOST names anew, in lower case
    try:
        said = step(beta, "spns", "take", spn_document(lab))
        assert said.code == 116
        assert f"reader holds {name}" in said.error
        assert accounts(lab) == respelled
        assert not beta.path(f"{UNDO}/test.spns.json").exists()
    finally:
        dc1.run(["samba-tool", "spn", "delete", name, "reader"])
        beta.call(put_accounts, access(lab), before)


@pytest.mark.covers("ID-02")
def test_without_the_right_on_both_accounts_nothing_is_taken(lab: Lab) -> None:
    beta, before = lab.host("beta"), accounts(lab)
    own = {"principal": TARGET, "keytab": str(lab.keytab(TARGET))}
    directory = {"domain": lab.domain, "controllers": access(lab)["controllers"], **own}
    said = step(beta, "spns", "take", spn_document(lab, directory=directory))
    assert said.code == 106
    assert "may not change servicePrincipalName of CN=ALPHA" in said.error
    assert accounts(lab) == before
