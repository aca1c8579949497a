"""Reading the words of a definition one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from tests.lab.sqlserver.engine.port import SqlFailure
from tests.lab.sqlserver.engine.statements import near
from tests.lab.sqlserver.engine.tokens import Token

END = Token("end", "", "", 0, 1)


class Reader:
    """A place in the words."""

    def __init__(self, words: Sequence[Token]) -> None:
        self.words = list(words)
        self.at = 0

    @property
    def here(self) -> Token:
        """The next word."""
        return self.words[self.at] if self.at < len(self.words) else END

    @property
    def ended(self) -> bool:
        """Nothing is left."""
        return self.at >= len(self.words)

    def unexpected(self) -> SqlFailure:
        """102 or 156 at this place."""
        return near(self.here if not self.ended else self.words[-1])

    def take(self, *words: str) -> bool:
        """These words, if they stand here."""
        for by, word in enumerate(words):
            token = self.words[self.at + by] if self.at + by < len(self.words) else END
            if token.kind not in {"word", "mark"} or token.value != word:
                return False
        self.at += len(words)
        return True

    def need(self, *words: str) -> None:
        """They must stand here. SqlFailure 102."""
        if not self.take(*words):
            raise self.unexpected()

    def next(self) -> Token:
        """One word, whatever it is."""
        if self.ended:
            raise self.unexpected()
        self.at += 1
        return self.words[self.at - 1]

    def name(self) -> str:
        """An identifier."""
        if self.here.kind not in {"word", "quoted"}:
            raise self.unexpected()
        return self.next().name

    def dotted(self) -> list[str]:
        """A name with parts."""
        parts = [self.name()]
        while self.take("."):
            parts.append(self.name() if self.here.kind in {"word", "quoted"} else "")
        return parts

    def text(self) -> str:
        """A string."""
        if self.here.kind != "string":
            raise self.unexpected()
        return self.next().value

    def number(self) -> int:
        """A whole number, with its sign."""
        sign = -1 if self.take("-") else 1
        if self.here.kind != "number":
            raise self.unexpected()
        return sign * int(self.next().value)

    def on_off(self) -> bool:
        """ON or OFF, with or without =."""
        self.take("=")
        if self.take("ON"):
            return True
        self.need("OFF")
        return False

    def names(self) -> list[str]:
        """(a, b ASC, c DESC)."""
        self.need("(")
        found = [self.name()]
        self.take("ASC") or self.take("DESC")
        while self.take(","):
            found.append(self.name())
            self.take("ASC") or self.take("DESC")
        self.need(")")
        return found

    def group(self) -> list[Token]:
        """What stands in the parentheses that open here."""
        self.need("(")
        depth, start = 1, self.at
        while depth:
            token = self.next()
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.value, 0)
        return self.words[start : self.at - 1]

    def finish(self) -> None:
        """Nothing may be left. SqlFailure 102."""
        if not self.ended:
            raise near(self.here)
