"""Functions of T-SQL for texts, numbers and choices."""

from __future__ import annotations

import math
import random
import re
import secrets
import uuid
from typing import Any

from tests.lab.sqlserver.engine import accounts
from tests.lab.sqlserver.engine.functions import (
    FLOAT,
    FUNCTIONS,
    INT,
    NVARCHAR,
    UUID,
    VARBINARY,
    Function,
    _number,
    _pattern,
    current,
    function,
)
from tests.lab.sqlserver.engine.port import SqlFailure, SqlType
from tests.lab.sqlserver.engine.values import cast

# -- texts -------------------------------------------------------------------------------------------------------------------------


def _text(name: str, gives: SqlType | None, what: Function) -> None:
    def call(*values: Any) -> Any:
        if values and values[0] is None:
            return None
        return what(*values)

    FUNCTIONS[name] = (call, gives)


def _str(value: Any) -> str:
    return value if isinstance(value, str) else str(cast(value, NVARCHAR))


def _patindex(pattern: str, value: Any) -> int:
    core = pattern.removeprefix("%").removesuffix("%")
    match = _pattern(core, "").search(_str(value)) if core else None
    return match.start() + 1 if match else 0


def _replace(value: Any, old: Any, new: Any) -> Any:
    return (
        None
        if old is None or new is None
        else re.sub(re.escape(_str(old)), lambda _: _str(new), _str(value), flags=re.IGNORECASE)
    )


def _substring(value: Any, start: int, length: int) -> Any:
    if start is None or length is None:
        return None
    if length < 0:
        raise SqlFailure(537, "Invalid length parameter passed to the LEFT or SUBSTRING function.")
    whole = value if isinstance(value, bytes) else _str(value)
    end = max(start - 1 + length, 0)
    return whole[max(start - 1, 0) : end]


def _parsename(name: str, piece: int) -> Any:
    parts = [part.strip("[]") for part in re.findall(r"\[[^\]]*\]|[^.]+", name)][::-1]
    return parts[piece - 1] if 0 < piece <= len(parts) else None


def _quotename(name: Any, quote: str = "[") -> Any:
    left, right = {"[": "[]", "]": "[]", "'": "''", '"': '""', "(": "()"}.get(quote, "  ")
    text = _str(name)
    return None if left == " " or len(text) > 128 else left + text.replace(right, right * 2) + right


_text("LEN", INT, lambda value: len(_str(value).rstrip(" ")) if not isinstance(value, bytes) else len(value))
_text(
    "DATALENGTH",
    INT,
    lambda value: (
        len(value)
        if isinstance(value, bytes)
        else 4
        if isinstance(value, int)
        else len(_str(value).encode("utf-16-le"))
    ),
)
_text("UPPER", None, lambda value: _str(value).upper())
_text("LOWER", None, lambda value: _str(value).lower())
_text("LTRIM", None, lambda value: _str(value).lstrip(" "))
_text("RTRIM", None, lambda value: _str(value).rstrip(" "))
_text("TRIM", None, lambda value: _str(value).strip(" "))
_text("LEFT", None, lambda value, count: _str(value)[: max(count, 0)])
_text("RIGHT", None, lambda value, count: _str(value)[-count:] if count > 0 else "")
_text("SUBSTRING", None, _substring)
_text("REPLACE", None, _replace)
_text("REVERSE", None, lambda value: _str(value)[::-1])
_text("REPLICATE", NVARCHAR, lambda value, count: _str(value) * max(count, 0))
_text("SPACE", NVARCHAR, lambda count: " " * count)
_text("CHAR", SqlType("char", 1), lambda code: bytes([code]).decode("cp1252", "replace") if 0 <= code < 256 else None)
_text("NCHAR", SqlType("nchar", 1), lambda code: chr(code))
_text("ASCII", INT, lambda value: _str(value).encode("cp1252", "replace")[0] if value else None)
_text("UNICODE", INT, lambda value: ord(_str(value)[0]) if value else None)
_text(
    "STUFF",
    None,
    lambda value, start, length, new: _str(value)[: start - 1] + (new or "") + _str(value)[start - 1 + length :],
)
_text("PATINDEX", INT, lambda pattern, value: None if value is None else _patindex(pattern, value))
_text(
    "CHARINDEX",
    INT,
    lambda find, value, start=1: (
        None if value is None else _str(value).lower().find(_str(find).lower(), max((start or 1) - 1, 0)) + 1
    ),
)
_text("PARSENAME", SqlType("nvarchar", 128), _parsename)
_text("QUOTENAME", SqlType("nvarchar", 258), _quotename)
_text("STR", SqlType("varchar", 20), lambda value, length=10, decimals=0: f"{value:.{decimals}f}".rjust(length))
_text("HASHBYTES", VARBINARY, lambda kind, value: _hashbytes(kind, value))


@function("CONCAT")
def _concat(*values: Any) -> str:
    return "".join(_str(value) for value in values if value is not None)


@function("CONCAT_WS")
def _concat_ws(separator: Any, *values: Any) -> str:
    return _str(separator or "").join(_str(value) for value in values if value is not None)


def _hashbytes(kind: str, value: Any) -> Any:
    import hashlib

    if value is None:
        return None
    raw = value if isinstance(value, bytes) else _str(value).encode("utf-16-le")
    name = {"md5": "md5", "sha": "sha1", "sha1": "sha1", "sha2_256": "sha256", "sha2_512": "sha512"}.get(kind.lower())
    return hashlib.new(name, raw, usedforsecurity=False).digest() if name else None


@function("PWDENCRYPT", SqlType("varbinary", 128))
def _pwdencrypt(password: Any) -> Any:
    return (
        None
        if password is None
        else accounts.hash_password(_str(password), current.session.instance.personality.hash_version)
    )


@function("PWDCOMPARE", INT)
def _pwdcompare(password: Any, stored: Any, _old: Any = 0) -> Any:
    return None if stored is None else int(accounts.matches(_str(password or ""), bytes(stored)))


# -- numbers -----------------------------------------------------------------------------------------------------------------------

_text("ABS", None, lambda value: abs(_number(value)))
_text("CEILING", None, lambda value: math.ceil(value))
_text("FLOOR", None, lambda value: math.floor(value))
_text(
    "ROUND",
    None,
    lambda value, places=0, cut=0: (
        value
        if isinstance(value, int) and places >= 0
        else math.floor(abs(value) * 10**places + (0 if cut else 0.5)) / 10**places * (1 if value >= 0 else -1)
    ),
)
_text("SIGN", None, lambda value: (value > 0) - (value < 0))
_text("SQRT", FLOAT, lambda value: math.sqrt(value))
_text("SQUARE", FLOAT, lambda value: float(value) ** 2)
_text("POWER", None, lambda value, to: value**to)
_text("EXP", FLOAT, lambda value: math.exp(value))
_text("LOG", FLOAT, lambda value, base=math.e: math.log(value, base))
_text(
    "ISNUMERIC", INT, lambda value: int(re.fullmatch(r"\s*[-+$]?\d*\.?\d+([eE][-+]?\d+)?\s*", _str(value)) is not None)
)


@function("RAND", FLOAT)
def _rand(_seed: Any = None) -> float:
    return random.random()


@function("CHECKSUM", INT)
def _checksum(*values: Any) -> int:
    import zlib

    return zlib.crc32(repr(values).encode()) - 2**31


@function("NEWID", UUID)
def _newid() -> str:
    return str(uuid.uuid4()).upper()


FUNCTIONS["NEWSEQUENTIALID"] = FUNCTIONS["NEWID"]


@function("CRYPT_GEN_RANDOM", VARBINARY)
def _random(length: int) -> bytes:
    return secrets.token_bytes(length)


@function("ISNULL", None)
def _isnull(value: Any, other: Any) -> Any:
    return other if value is None else value


@function("CHOOSE", None)
def _choose(index: Any, *values: Any) -> Any:
    return values[index - 1] if index is not None and 0 < index <= len(values) else None
