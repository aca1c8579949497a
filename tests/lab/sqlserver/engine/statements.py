"""A batch as statements: where each begins and ends, and the flow between them (IF, WHILE, BEGIN, TRY). Semicolons are optional."""

from __future__ import annotations

from dataclasses import dataclass

from tests.lab.sqlserver.engine.port import SqlFailure
from tests.lab.sqlserver.engine.tokens import Token, tokenize


@dataclass(frozen=True)
class Simple:
    """One statement. ``words`` end without a semicolon."""

    kind: str  # the first word
    words: tuple[Token, ...]
    text: str
    line: int


@dataclass(frozen=True)
class Block:
    """BEGIN ... END, or the whole batch."""

    body: tuple[Node, ...]


@dataclass(frozen=True)
class If:
    """IF condition then ELSE otherwise."""

    condition: str
    then: Node
    otherwise: Node | None
    line: int


@dataclass(frozen=True)
class While:
    """WHILE condition body."""

    condition: str
    body: Node
    line: int


@dataclass(frozen=True)
class Try:
    """BEGIN TRY ... END TRY BEGIN CATCH ... END CATCH."""

    body: Block
    handler: Block


Node = Simple | Block | If | While | Try

STARTS = {
    "SELECT", "INSERT", "UPDATE", "DELETE", "SET", "DECLARE", "IF", "WHILE", "BEGIN", "END", "ELSE", "EXEC", "EXECUTE", "PRINT", "RAISERROR",
    "THROW", "USE", "CREATE", "ALTER", "DROP", "GRANT", "DENY", "REVOKE", "COMMIT", "ROLLBACK", "SAVE", "DBCC", "BACKUP", "RESTORE", "RETURN",
    "WAITFOR", "KILL", "SHUTDOWN", "RECONFIGURE", "CHECKPOINT", "TRUNCATE", "MERGE", "OPEN", "CLOSE", "FETCH", "DEALLOCATE", "REVERT",
    "BREAK", "CONTINUE", "GOTO", "WITH", "BULK", "LINENO", "DISABLE", "ENABLE",
}  # fmt: skip
OPENERS = STARTS - {"END", "ELSE", "WITH", "DISABLE", "ENABLE"}
ALTERED_PARTS = {"MEMBER", "COLUMN", "CONSTRAINT", "ENCRYPTION", "CREDENTIAL", "FILE", "MASTER", "SERVICE"}
UNITS = {"PROCEDURE", "PROC", "VIEW", "FUNCTION", "TRIGGER"}


def parse(text: str) -> Block:
    """The batch. Raises SqlFailure 102, 156, 105, 113 before anything of it has run."""
    parser = _Parser(text)
    body: list[Node] = []
    while not parser.at_end:
        parser.skip(";")
        if parser.at_end:
            break
        body.append(parser.statement(first=not body))
    return Block(tuple(body))


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokenize(text)
        self.at = 0

    @property
    def here(self) -> Token:
        return self.tokens[self.at]

    @property
    def at_end(self) -> bool:
        return self.here.kind == "end"

    def ahead(self, by: int = 1) -> Token:
        return self.tokens[min(self.at + by, len(self.tokens) - 1)]

    def is_word(self, *words: str, by: int = 0) -> bool:
        token = self.ahead(by)
        return token.kind == "word" and token.value in words

    def skip(self, mark: str) -> None:
        while self.here.kind == "mark" and self.here.value == mark:
            self.at += 1

    def unexpected(self) -> SqlFailure:
        return near(self.here if not self.at_end or not self.at else self.tokens[self.at - 1])

    # -- statements ---------------------------------------------------------------------------------------------------------------

    def statement(self, *, first: bool = False) -> Node:
        word = self.here.value if self.here.kind == "word" else ""
        if word == "IF":
            return self._if()
        if word == "WHILE":
            line = self.here.line
            self.at += 1
            condition = self._condition()
            return While(condition, self._inner(), line)
        if word == "BEGIN" and not self.is_word("TRAN", "TRANSACTION", "DISTRIBUTED", "DIALOG", "CONVERSATION", by=1):
            return self._try() if self.is_word("TRY", by=1) else self._block()
        if word in OPENERS or word == "WITH":
            return self._simple(word)
        if first and self.here.kind in {"word", "quoted"} and word not in {"ELSE", "END"}:
            return self._simple("EXEC", implicit=True)
        raise self.unexpected()

    def _inner(self) -> Node:
        self.skip(";")
        if self.at_end:
            raise self.unexpected()
        node = self.statement()
        self.skip(";")
        return node

    def _if(self) -> If:
        line = self.here.line
        self.at += 1
        condition = self._condition()
        then = self._inner()
        otherwise = None
        if self.is_word("ELSE"):
            self.at += 1
            otherwise = self._inner()
        return If(condition, then, otherwise, line)

    def _condition(self) -> str:
        start = self.here.start
        depth = cases = 0
        while not self.at_end:
            token = self.here
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.value, 0)
            elif token.kind == "word":
                cases += {"CASE": 1, "END": -1}.get(token.value, 0)
                if depth == 0 and cases <= 0 and token.value in OPENERS | {"WITH"}:
                    break
            self.at += 1
        text = self.text[start : self.tokens[self.at - 1].end] if self.at else ""
        if not text.strip() or self.here.start == start:
            raise self.unexpected()
        return text

    def _block(self) -> Block:
        self.at += 1
        return Block(self._body("END"))

    def _body(self, *closing: str) -> tuple[Node, ...]:
        body: list[Node] = []
        while True:
            self.skip(";")
            if self.at_end:
                raise self.unexpected()
            if all(self.is_word(word, by=by) for by, word in enumerate(closing)):
                if not body:
                    raise self.unexpected()
                self.at += len(closing)
                return tuple(body)
            body.append(self.statement())

    def _try(self) -> Try:
        self.at += 2
        body = Block(self._body("END", "TRY"))
        self.skip(";")
        if not (self.is_word("BEGIN") and self.is_word("CATCH", by=1)):
            raise self.unexpected()
        self.at += 2
        self.skip(";")
        if self.is_word("END") and self.is_word("CATCH", by=1):
            self.at += 2
            return Try(body, Block(()))
        return Try(body, Block(self._body("END", "CATCH")))

    def _simple(self, kind: str, *, implicit: bool = False) -> Simple:
        begin = self.at
        if not implicit:
            self.at += 1
        if kind in {"GRANT", "DENY", "REVOKE"}:
            self._to_the_principals()
        self._to_the_end(kind, begin)
        words = tuple(self.tokens[begin : self.at])
        text = self.text[words[0].start : words[-1].end]
        return Simple(kind, words, text, words[0].line)

    def _to_the_principals(self) -> None:
        while (
            not self.at_end
            and not self.is_word("TO", "FROM")
            and not (self.here.kind == "mark" and self.here.value == ";")
        ):
            self.at += 1

    def _to_the_end(self, kind: str, begin: int) -> None:
        unit = kind in {"CREATE", "ALTER"} and (
            self.is_word(*UNITS) or (self.is_word("OR") and self.is_word(*UNITS, by=2))
        )
        depth = cases = 0
        free = {
            "INSERT": {"SELECT", "EXEC", "EXECUTE", "WITH"},
            "UPDATE": {"SET"},
            "MERGE": {"UPDATE", "INSERT", "DELETE", "SET"},
        }.get(kind, set())
        free = set(free)
        while not self.at_end:
            token = self.here
            if unit:
                self.at += 1
                continue
            if token.kind == "mark":
                depth += {"(": 1, ")": -1}.get(token.value, 0)
                if depth < 0:
                    raise near(token)
                if token.value == ";" and depth == 0:
                    return
            elif token.kind == "word":
                if token.value == "VALUES" and kind == "INSERT" and not depth:
                    free.clear()  # a SELECT after it is a statement of its own
                if token.value == "CASE":
                    cases += 1
                elif token.value == "END" and cases:
                    cases -= 1
                elif (
                    depth == 0
                    and not cases
                    and token.value in STARTS
                    and self.at > begin
                    and not self._belongs(kind, token, free, begin)
                ):
                    return
            self.at += 1
        if depth:
            raise near(self.tokens[self.at - 1])

    def _belongs(self, kind: str, token: Token, free: set[str], begin: int) -> bool:
        before = self.tokens[self.at - 1]
        previous = before.value if before.kind in {"word", "mark"} else ""
        word = token.value
        if word in free:
            free.discard(word)
            return True
        if word == "SELECT":
            return previous in {"UNION", "ALL", "EXCEPT", "INTERSECT"} or (kind == "WITH" and previous == ")")
        if kind == "WITH" and word in {"INSERT", "UPDATE", "DELETE", "MERGE"} and previous == ")":
            free |= {"SELECT"} if word == "INSERT" else {"SET"}
            return True
        if word == "WITH":
            return kind not in {"DECLARE", "SET", "PRINT", "USE", "COMMIT"}
        if word == "IF":
            return kind in {"DROP", "CREATE", "ALTER"} and self.is_word("EXISTS", "NOT", by=1)
        if word == "ROLLBACK":
            return previous in {"WITH", ","} and kind == "ALTER"
        if word == "SET":
            return kind == "ALTER"
        if word in {"DROP", "ALTER"}:
            return kind == "ALTER" and self.is_word(*ALTERED_PARTS, by=1)
        if word in {"ENABLE", "DISABLE"}:
            return True
        if word in {"EXECUTE", "EXEC"}:
            return previous == "WITH" and kind == "CREATE"
        if word == "RECONFIGURE":
            return False
        if word in {"CHECKPOINT", "SAVE", "OPEN", "CLOSE", "BULK", "LINENO", "FETCH"}:
            return word != "OPEN" and previous in {"ROWS", "ROW"}
        if word in {"BACKUP", "RESTORE", "KILL", "SHUTDOWN", "THROW"}:
            return previous == "." or begin == self.at
        if word in {"UPDATE", "DELETE"}:
            return previous in {"FOR", "ON", "AFTER"}
        return False


def near(token: Token) -> SqlFailure:
    """102 or, for a keyword, 156."""
    if token.kind == "word" and token.value in STARTS | {
        "FROM",
        "WHERE",
        "TO",
        "ON",
        "AS",
        "ORDER",
        "GROUP",
        "BY",
        "AND",
        "OR",
        "NOT",
        "FOR",
        "IN",
        "INTO",
        "TABLE",
        "VALUES",
        "DATABASE",
        "USER",
        "JOIN",
        "NULL",
    }:
        return SqlFailure(156, f"Incorrect syntax near the keyword '{token.text}'.", severity=15, line=token.line)
    return SqlFailure(102, f"Incorrect syntax near '{token.value}'.", severity=15, line=token.line)
