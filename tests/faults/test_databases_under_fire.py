"""Engines, capture and witness killed at random points under SQLite and PostgreSQL.

Whatever is killed: afterwards source and target are identical; whenever the target calls its data good it is a prefix of what the
source's databases committed; nothing that was durable at an acknowledged position is missing. ``TORTURE_MINUTES`` plays fresh
seeds; one that fails is printed and kept in seeds.txt.
"""

from __future__ import annotations

import logging
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults.fire import protected, scenarios, seeds
from tests.faults.fire.field import Field
from tests.faults.fire.postgres import USER, make_template

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A small PostgreSQL cluster, made once."""
    place = Path(tempfile.mkdtemp(prefix="dtam-fire-template-"))
    shutil.chown(place, USER, USER)
    try:
        make_template(place / "pg", place / "sockets")
        yield place / "pg"
    finally:
        shutil.rmtree(place)


class Fields:
    """The field that tests share while it is sound; a test that fails takes its field with it."""

    def __init__(self, template: Path) -> None:
        self._template = template
        self._field: Field | None = None

    def make(self, seed: int) -> Field:
        """A field of one's own, connected to nothing yet."""
        return Field(Path(tempfile.mkdtemp(prefix="dtam-fire-")), self._template, seed)

    def take(self, seed: int) -> Field:
        """A field under load with a good replica."""
        field = self._field
        if field is None or not field.sound:
            self.drop()
            field = self._field = self.make(seed)
            field.fire()
            field.connect()
        field.sound = False
        field.fire()
        field.wait_good()
        return field

    def tell(self) -> None:
        """Log how the shared field stands."""
        if self._field is not None:
            self._field.tell()

    def drop(self) -> None:
        """End the shared field."""
        if self._field is not None:
            self._field.close()
            self._field = None


@pytest.fixture(scope="module")
def fields(template: Path) -> Iterator[Fields]:
    """Fields, all taken down at the end."""
    made = Fields(template)
    yield made
    made.drop()


@pytest.fixture(autouse=True)
def _what_it_needs(needs: Callable[..., None]) -> None:
    needs("fuse", "postgresql")


def play(scenario: str, fields: Fields, seed: int) -> None:
    """One scenario on the shared field; what went wrong names the seed."""
    try:
        field = fields.take(seed)
        scenarios.SCENARIOS[scenario](field, random.Random(f"{scenario} {seed}"))
    except BaseException:
        fields.tell()
        log.exception("%s failed with seed %d", scenario, seed)
        raise
    field.sound = True


def on_every_seed(scenario: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("seed", seeds.seeds_of(scenario))


@pytest.mark.covers("ENG-CAP-01", "ENG-CAP-02", "ENG-CAP-08", "ENG-Q-06")
@on_every_seed("target_engine_killed")
def test_target_engine_killed(fields: Fields, seed: int) -> None:
    play("target_engine_killed", fields, seed)


@pytest.mark.covers("ENG-CAP-01", "ENG-CAP-02", "ENG-Q-07")
@on_every_seed("source_engine_killed")
def test_source_engine_killed(fields: Fields, seed: int) -> None:
    play("source_engine_killed", fields, seed)


@pytest.mark.covers("ENG-CAP-02", "ENG-Q-06", "ENG-Q-07")
@on_every_seed("both_engines_restarted")
def test_both_engines_restarted(fields: Fields, seed: int) -> None:
    play("both_engines_restarted", fields, seed)


@pytest.mark.covers("ENG-CAP-02", "ENG-CN-03", "ENG-Q-05")
@on_every_seed("network_cut")
def test_network_cut(fields: Fields, seed: int) -> None:
    play("network_cut", fields, seed)


@pytest.mark.covers("ENG-CAP-02", "ENG-CAP-08", "ENG-Q-07")
@on_every_seed("capture_killed")
def test_capture_killed(fields: Fields, seed: int) -> None:
    play("capture_killed", fields, seed)


@pytest.mark.covers("ENG-CAP-02")
@on_every_seed("mirror_interrupted")
def test_mirror_interrupted(fields: Fields, seed: int) -> None:
    play("mirror_interrupted", fields, seed)


@pytest.mark.covers("ENG-CAP-01", "ENG-CAP-08")
@on_every_seed("applications_killed")
def test_applications_killed(fields: Fields, seed: int) -> None:
    play("applications_killed", fields, seed)


@pytest.mark.covers("ENG-CAP-02", "ENG-Q-07")
@on_every_seed("source_machine_restarted")
def test_source_machine_restarted(fields: Fields, seed: int) -> None:
    play("source_machine_restarted", fields, seed)


@pytest.mark.covers("ENG-SYNC-01")
@on_every_seed("source_lost_while_synchronous")
def test_source_lost_while_synchronous(fields: Fields, seed: int) -> None:
    play("source_lost_while_synchronous", fields, seed)


def lose_the_source(fields: Fields, seed: int) -> None:
    """The witness dies and comes back; then the source dies, and the target takes over."""
    field = fields.make(seed)
    try:
        with protected.Protected(field) as protection:
            field.fire()
            field.connect(protection=protected.SHOP, epoch=1)
            field.wait_good()
            chance = random.Random(f"source_lost {seed}")
            protected.witness_killed(protection, chance)
            field.fire()
            field.wait_good()
            protected.source_lost(protection, chance)
    except BaseException:
        field.tell()
        log.exception("source_lost failed with seed %d", seed)
        raise
    finally:
        field.close()


@pytest.mark.covers("AM-27", "ENG-CAP-02", "ENG-CAP-08", "ENG-FO-01")
@on_every_seed("source_lost")
def test_witness_killed_then_the_source_lost(fields: Fields, seed: int) -> None:
    fields.drop()
    lose_the_source(fields, seed)


if seeds.MINUTES:

    @pytest.mark.timeout(0)
    def test_fresh_seeds(fields: Fields) -> None:
        """Go on for as long as asked; a seed that fails is kept."""
        for seed in seeds.fresh():
            scenario = random.Random(seed).choice([*scenarios.SCENARIOS, "source_lost"])
            try:
                if scenario == "source_lost":
                    fields.drop()
                    lose_the_source(fields, seed)
                else:
                    play(scenario, fields, seed)
            except BaseException as error:
                seeds.keep(scenario, seed, f"{type(error).__name__}: {error}")
                raise
