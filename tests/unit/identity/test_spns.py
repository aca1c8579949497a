"""The rules of service principal names, and the mover killed at every point: never two owners, everything given back."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.directory.errors import RightMissing
from orchestrator.identity.accounts import Clock, Pair, SpnMover, TakenSpns
from orchestrator.identity.errors import SpnCollision, SpnInvalid, TakenUnusable
from orchestrator.identity.spns import Aliases, Held, Spn, plan_back, plan_take, refuse_collisions, wanted_spns
from orchestrator.identity.taken import load
from tests.unit.identity.fakes import ALIASES, FakeDirectory, Killed, owners

SOURCE, TARGET, THIRD = "ALPHA$", "BETA$", "WEB"
WANTED = wanted_spns(["alpha", "alpha.lab.example"], ["HOST", "cifs"])
ALPHA = ["HOST/ALPHA", "HOST/alpha.lab.example", "RestrictedKrbHost/ALPHA", "MSSQLSvc/alpha.lab.example:1433"]
BETA = ["HOST/BETA", "HOST/beta.lab.example"]


def accounts(more=None):
    return {SOURCE: list(ALPHA), TARGET: list(BETA), **(more or {})}


def mover(directory, tmp_path):
    return SpnMover(directory, Pair(SOURCE, TARGET, 0), tmp_path / "undo.json", Clock(lambda: 0.0, lambda _: None))


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("HOST/Alpha", ("host", "alpha", "")),
        ("MSSQLSvc/alpha.lab.example:1433", ("mssqlsvc", "alpha.lab.example", ":1433")),
        ("ldap/dc1.lab.example/lab.example", ("ldap", "dc1.lab.example", "/lab.example")),
    ],
)
def test_names_are_taken_apart(text, parts):
    spn = Spn.parse(text)
    assert (spn.service, spn.host, spn.rest) == parts


@pytest.mark.parametrize("text", ["", "cifs", "cifs/", "/alpha", "cifs/al pha", "ci\nfs/alpha"])
def test_what_is_no_name_is_refused(text):
    with pytest.raises(SpnInvalid):
        Spn.parse(text)


@pytest.mark.parametrize(
    ("one", "other", "collide"),
    [
        ("cifs/x", "CIFS/X", True),
        ("cifs/x", "HOST/x", True),
        ("HOST/x", "http/X", True),
        ("cifs/x", "http/x", False),
        ("cifs/x", "HOST/y", False),
        ("MSSQLSvc/x:1433", "HOST/x", False),
        ("http/x:80", "HOST/x", False),
    ],
)
def test_collisions_go_through_the_alias_map(one, other, collide):
    assert ALIASES.collide(one, other) is collide
    assert ALIASES.collide(other, one) is collide


def test_rivals_are_what_collides():
    assert set(Aliases.of(["host=cifs,http"]).rivals("HOST/X")) == {"host/x", "cifs/x", "http/x"}
    assert set(Aliases.of(["host=cifs,http"]).rivals("cifs/X")) == {"host/x", "cifs/x"}


def test_the_source_keeps_what_is_not_asked_for_and_spelling_is_its_own():
    move = plan_take(WANTED, Held(tuple(ALPHA), tuple(BETA)), ALIASES)
    assert move.take == ("HOST/ALPHA", "HOST/alpha.lab.example")
    assert move.give == ("HOST/ALPHA", "HOST/alpha.lab.example", "cifs/alpha", "cifs/alpha.lab.example")


def test_what_collides_goes_along():
    move = plan_take(["cifs/x"], Held(("HOST/X", "http/x", "HOST/y", "nonsense"), ()), ALIASES)
    assert move.take == ("HOST/X", "http/x")
    assert move.give == ("HOST/X", "http/x", "cifs/x")


def test_a_third_account_refuses_the_move():
    for held in ("CIFS/ALPHA", "http/alpha"):
        with pytest.raises(SpnCollision, match="WEB holds"):
            refuse_collisions(["HOST/alpha"], [(THIRD, held)], ALIASES, TARGET)
    refuse_collisions(["cifs/alpha"], [(THIRD, "http/alpha"), (THIRD, "nonsense")], ALIASES, TARGET)


def test_what_another_account_has_by_now_is_not_given_back():
    held = Held((), ("HOST/BETA", "cifs/alpha"), ((THIRD, "HOST/ALPHA"),))
    move, left = plan_back(["HOST/ALPHA"], ["cifs/alpha"], ["HOST/BETA"], held, ALIASES)
    assert (move.take, move.give, left) == (("cifs/alpha",), (), ("HOST/ALPHA",))


def test_taken_shown_and_given_back(tmp_path):
    directory = FakeDirectory(accounts())
    before = copy.deepcopy(directory.accounts)
    one = mover(directory, tmp_path)
    assert not one.show(WANTED).so
    assert {line.state for line in one.plan(WANTED).lines} == {"would-take", "would-give"}
    assert directory.accounts == before
    report = one.take(WANTED)
    assert report.so
    assert report.measured == {"without_owner_s": 0.0}
    assert one.show(WANTED).so
    assert directory.accounts[SOURCE] == ALPHA[2:]
    assert {line.state for line in one.take(WANTED).lines} == {"already"}
    assert one.back().so
    assert {name: sorted(spns) for name, spns in directory.accounts.items()} == {
        name: sorted(spns) for name, spns in before.items()
    }
    assert one.back().remarks == ("nothing was taken, so nothing is given back",)


def test_a_second_take_of_more_is_given_back_too(tmp_path):
    directory = FakeDirectory(accounts())
    before = {name: sorted(spns) for name, spns in directory.accounts.items()}
    mover(directory, tmp_path).take(["cifs/alpha"])
    mover(directory, tmp_path).take(["cifs/alpha", "MSSQLSvc/alpha.lab.example:1433"])
    assert directory.accounts[SOURCE] == ["HOST/alpha.lab.example", "RestrictedKrbHost/ALPHA"]
    mover(directory, tmp_path).back()
    assert {name: sorted(spns) for name, spns in directory.accounts.items()} == before


def test_a_collision_changes_nothing(tmp_path):
    directory = FakeDirectory(accounts({THIRD: ["http/alpha.lab.example"]}))
    before = copy.deepcopy(directory.accounts)
    with pytest.raises(SpnCollision, match=r"http/alpha\.lab\.example"):
        mover(directory, tmp_path).take(WANTED)
    assert directory.accounts == before
    assert not (tmp_path / "undo.json").exists()


def test_an_account_of_another_domain_refuses_the_move(tmp_path):
    directory = FakeDirectory(accounts(), elsewhere={"other.example": {SOURCE: ["cifs/alpha.lab.example"]}})
    before = copy.deepcopy(directory.accounts)
    with pytest.raises(SpnCollision, match=r"ALPHA\$ of other\.example holds cifs/alpha\.lab\.example"):
        mover(directory, tmp_path).take(WANTED)
    assert directory.accounts == before


def test_a_forest_that_cannot_be_asked_is_told_and_holds_nothing_up(tmp_path):
    directory = FakeDirectory(accounts(), elsewhere={"other.example": {}}, silent=True)
    for report in (mover(directory, tmp_path).plan(WANTED), mover(directory, tmp_path).take(WANTED)):
        (remark,) = report.remarks
        assert remark.startswith("other.example could not be asked who holds these service names: no domain controller")
    assert mover(directory, tmp_path).show(WANTED).so


def test_a_move_asks_a_catalog_no_more_than_one_look_does_and_never_in_a_forest_of_one_domain(tmp_path):
    many, one = FakeDirectory(accounts(), elsewhere={"other.example": {}}), FakeDirectory(accounts())
    for directory in (many, one):
        mover(directory, tmp_path).plan(WANTED)
    looked = many.catalog_asked
    for directory in (many, one):
        mover(directory, tmp_path).take(WANTED)
        (tmp_path / "undo.json").unlink()
    assert (many.catalog_asked, one.catalog_asked) == (2 * looked, 0)


@pytest.mark.parametrize("locked", [SOURCE, TARGET])
def test_nothing_is_taken_that_could_not_be_given(tmp_path, locked):
    directory = FakeDirectory(accounts(), locked=locked)
    with pytest.raises(RightMissing):
        mover(directory, tmp_path).plan(WANTED)
    with pytest.raises(RightMissing):
        mover(directory, tmp_path).take(WANTED)
    assert directory.accounts == accounts()
    assert not (tmp_path / "undo.json").exists()


def test_the_undo_of_another_pair_is_refused(tmp_path):
    directory = FakeDirectory(accounts({"GAMMA": []}))
    mover(directory, tmp_path).take(WANTED)
    other = SpnMover(directory, Pair("GAMMA", TARGET, 0), tmp_path / "undo.json", Clock(lambda: 0.0, lambda _: None))
    with pytest.raises(TakenUnusable, match="what BETA\\$ took from ALPHA\\$"):
        other.take(WANTED)


HOSTS = ["alpha", "ALPHA", "alpha.lab.example", "beta"]
SERVICES = ["HOST", "host", "cifs", "CIFS", "http", "MSSQLSvc", "RestrictedKrbHost"]
SPNS = st.builds("{}/{}".format, st.sampled_from(SERVICES), st.sampled_from(HOSTS))


def _sound(accounts_):
    """Accounts as a domain lets them be: no name twice, no alias collision across accounts."""
    return all(len(owners(accounts_, spn)) == 1 for spns in accounts_.values() for spn in spns)


WORLDS = st.fixed_dictionaries(
    {name: st.lists(SPNS, max_size=6, unique=True) for name in (SOURCE, TARGET, THIRD)}
).filter(_sound)


@settings(max_examples=300, deadline=None)
@given(
    WORLDS,
    st.lists(SPNS, min_size=1, max_size=5, unique_by=str.lower),
    st.lists(st.tuples(st.integers(1, 12), st.booleans()), max_size=3),
    st.booleans(),
)
def test_never_two_owners_whatever_interrupts_it(tmp_path_factory, world, wanted, kills, go_back):
    path = tmp_path_factory.mktemp("undo")
    directory = FakeDirectory(copy.deepcopy(world))

    def until_done(deed):
        for number, after in [*kills, (10**9, False)]:
            directory.calls, directory.kill_at, directory.kill_after = 0, number, after
            try:
                return deed(mover(directory, path))
            except Killed:
                continue
        return None

    try:
        report = until_done(lambda one: one.take(wanted))
    except SpnCollision:
        assert directory.accounts == world
        return
    assert report.so
    for spn in wanted:
        assert owners(directory.accounts, spn) == {TARGET}
    lost = {spn.lower() for spn in world[SOURCE]} - {spn.lower() for spn in directory.accounts[SOURCE]}
    assert lost <= {spn.lower() for spn in directory.accounts[TARGET]}, "what goes along is not lost on the way"
    if go_back:
        until_done(lambda one: one.back())
        assert {name: sorted(spns) for name, spns in directory.accounts.items()} == {
            name: sorted(spns) for name, spns in world.items()
        }
    assert all(_sound(state) for state in directory.seen)


def test_the_undo_is_on_disk_before_anything_is_changed(tmp_path):
    directory = FakeDirectory(accounts(), kill_at=6)
    with pytest.raises(Killed):
        mover(directory, tmp_path).take(WANTED)
    kept = load(tmp_path / "undo.json", TakenSpns)
    assert kept.taken == ("HOST/ALPHA", "HOST/alpha.lab.example")
    assert directory.accounts == accounts()
    assert (tmp_path / "undo.json").stat().st_mode & 0o777 == 0o600
