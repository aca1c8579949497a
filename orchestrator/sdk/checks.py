"""Checks: one small function each, with a stable kebab-case id, in sets; it reports, it never raises and never changes anything.

    @check("target-directory-missing", sets=("basic",), passed="every target directory is there")
    def target_directory(view: View) -> Iterator[Finding]:
        ...yield view.error(what=..., where=..., why=..., remedy=...)

A check that yields nothing has passed; its ``passed`` sentence is reported. A crash inside a check becomes an error finding
that says so, because a validation that stops half-way hides what else is wrong.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.servers import Platform, Where
from orchestrator.model.settings import Settings
from orchestrator.model.steps import Step

_ID = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
SETS = frozenset({"basic", "strict", "data", "names", "failover"})


@dataclass(frozen=True, slots=True)
class View:
    """What a check sees: the facts, the protection, and the time by which facts age (seconds since the epoch)."""

    check: str
    inventory: Inventory
    protection: Protection
    now_s: float

    @property
    def settings(self) -> Settings:
        """The settings of the protection."""
        return self.protection.settings

    @property
    def serving(self) -> Where:
        """The side that has the service."""
        return Where.TARGET if self.protection.stage.value in {"failed_over", "restored"} else Where.SOURCE

    @property
    def on_windows(self) -> bool:
        """Whether the servers run Windows."""
        return self.settings.failover.windows is not None or self.protection.pair.source.platform is Platform.WINDOWS

    def error(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        remedy: str = "",
        fix: Iterable[Step] = (),
        needs: tuple[str, ...] = (),
    ) -> Finding:
        """A finding that forbids protection."""
        return Finding(self.check, Severity.ERROR, what, where, why, remedy, tuple(fix), needs)

    def warning(
        self,
        what: str,
        *,
        where: str = "",
        why: str = "",
        remedy: str = "",
        fix: Iterable[Step] = (),
        needs: tuple[str, ...] = (),
    ) -> Finding:
        """A finding that is shown."""
        return Finding(self.check, Severity.WARNING, what, where, why, remedy, tuple(fix), needs)

    def place(self, setting: str) -> str:
        """Where a setting came from, for ``where``: its dotted name, and file, line and column if it has them."""
        origin = self.protection.origin(setting)
        return f"{setting} ({origin})" if origin else setting


Finder = Callable[[View], Iterable[Finding]]


@dataclass(frozen=True, slots=True)
class Check:
    """A check with its id, its sets, and the sentence that is true when it finds nothing.

    ``platform``: where it has something to say; of other servers it finds nothing, and does not say that it passed.
    """

    id: str
    sets: frozenset[str]
    passed: str
    find: Finder
    platform: Platform | None = None

    def run(self, inventory: Inventory, protection: Protection, now_s: float) -> tuple[Finding, ...]:
        """Its findings, or one that says it passed."""
        found = tuple(self._find(View(self.id, inventory, protection, now_s)))
        if found or self.platform not in {None, protection.pair.source.platform, protection.pair.target.platform}:
            return found
        return (Finding(self.id, Severity.PASSED, self.passed),)

    def _find(self, view: View) -> Iterator[Finding]:
        try:
            yield from self.find(view)
        except Exception as error:  # noqa: BLE001  one broken check must not hide the others' findings
            what = f"the check itself failed: {type(error).__name__}: {error}"
            yield view.error(
                what, why="what it looks at is unknown", remedy="report it as a bug, with the output of --json"
            )


def check(id: str, *, sets: tuple[str, ...] = ("basic",), passed: str) -> Callable[[Finder], Check]:  # noqa: A002
    """Make a function a check.

    Raises:
        ValueError: the id is not kebab-case, or a set is not one of ``SETS``.
    """
    if not _ID.fullmatch(id):
        msg = f"check id {id!r} is not kebab-case"
        raise ValueError(msg)
    if not set(sets) <= SETS:
        msg = f"check {id}: unknown sets {sorted(set(sets) - SETS)}"
        raise ValueError(msg)
    return lambda find: Check(id, frozenset(sets), passed, find)


def of_platform(platform: Platform, *checks: Check) -> tuple[Check, ...]:
    """Checks that have something to say where one of the servers runs this."""
    return tuple(replace(one, platform=platform) for one in checks)


def silence(findings: Iterable[Finding], reasons: Mapping[str, str]) -> tuple[Finding, ...]:
    """Findings of silenced checks become one warning each that gives the person's reason; errors of a silenced check too."""
    kept: list[Finding] = []
    for finding in findings:
        if finding.check in reasons and finding.severity is not Severity.PASSED:
            says = f"silenced ({reasons[finding.check]}): {finding.what}"
            kept.append(Finding(finding.check, Severity.WARNING, says, finding.where, finding.why, finding.remedy))
        else:
            kept.append(finding)
    return tuple(kept)
