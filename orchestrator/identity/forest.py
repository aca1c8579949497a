"""Who holds a value anywhere in the forest: asked of the session's own controller, and of a global catalog where there are more domains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.directory.errors import DirectoryError
from orchestrator.directory.filters import domain_of, filter_text
from orchestrator.directory.port import Directory, DomainFacts, Entry


class Forest:
    """Looks through the session's domain each time anew, and once through the others, as far as a global catalog answers.

    ``problem`` says why not, after a search: what is moved in one domain does not wait for another's controllers.
    """

    def __init__(self, directory: Directory, facts: DomainFacts) -> None:
        self._directory = directory
        self._facts = facts
        self._others: tuple[str, ...] | None = None
        self._asked: set[str] = set()
        self._found: list[Entry] = []
        self.problem = ""

    @property
    def remarks(self) -> tuple[str, ...]:
        """The problem, for a report."""
        return (self.problem,) if self.problem else ()

    def holders(self, attribute: str, values: Sequence[str], *more: str) -> Iterator[Entry]:
        """Every object with one of the values, with ``more`` attributes; of other domains also those of values asked for before."""
        words = [attribute, *more]
        yield from self._directory.find(self._facts.base_dn, _filter(attribute, values), words)
        new = [one for one in values if one not in self._asked]
        if new and not self.problem:
            self._asked.update(new)
            self._found += self._elsewhere(_filter(attribute, new), words)
        yield from self._found

    def name_of(self, account: Entry) -> str:
        """An account as people call it; with its domain where that is another one."""
        name, domain = account.first("sAMAccountName") or account.dn, domain_of(account.dn)
        return name if domain.lower() in {"", self._facts.domain.lower()} else f"{name} of {domain}"

    def _elsewhere(self, wanted: str, words: Sequence[str]) -> list[Entry]:
        """Of the other domains alone, because what a catalog says of our own may be old."""
        try:
            if self._others is None:
                self._others = tuple(one for one in self._directory.domains() if one != self._facts.domain.lower())
            found = list(self._directory.find_in_forest(wanted, words)) if self._others else []
        except DirectoryError as error:
            whom = ", ".join(self._others or ()) or "the rest of the forest"
            self.problem = f"{whom} could not be asked who holds these service names: {error}"
            return []
        return [one for one in found if domain_of(one.dn).lower() != self._facts.domain.lower()]


def _filter(attribute: str, values: Sequence[str]) -> str:
    return f"(|{''.join(f'({attribute}={filter_text(one)})' for one in values)})"
