"""The numbers of TDS for types of data; [MS-TDS] 2.2.5.4."""

from __future__ import annotations

NULL = 0x1F
INT1, BIT, INT2, INT4, DATETIME4, FLOAT4, MONEY, DATETIME, FLOAT8, MONEY4, INT8 = (
    *(0x30, 0x32, 0x34, 0x38, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x7A, 0x7F),
)
GUID, INTN, DECIMAL_OLD, NUMERIC_OLD, BITN, DECIMAL, NUMERIC, FLOATN, MONEYN, DATETIMEN = (
    *(0x24, 0x26, 0x37, 0x3F, 0x68, 0x6A, 0x6C, 0x6D, 0x6E, 0x6F),
)
DATE, TIME, DATETIME2, DATETIMEOFFSET = 0x28, 0x29, 0x2A, 0x2B
CHAR_OLD, VARCHAR_OLD, BINARY_OLD, VARBINARY_OLD = 0x2F, 0x27, 0x2D, 0x25
BIGVARBINARY, BIGVARCHAR, BIGBINARY, BIGCHAR, NVARCHAR, NCHAR = 0xA5, 0xA7, 0xAD, 0xAF, 0xE7, 0xEF
XML, UDT, TABLE, IMAGE, TEXT, NTEXT, VARIANT = 0xF1, 0xF0, 0xF3, 0x22, 0x23, 0x63, 0x62

FIXED = {
    INT1: ("tinyint", 1),
    INT2: ("smallint", 2),
    INT4: ("int", 4),
    INT8: ("bigint", 8),
    BIT: ("bit", 1),
    FLOAT4: ("real", 4),
    FLOAT8: ("float", 8),
    MONEY4: ("smallmoney", 4),
    MONEY: ("money", 8),
    DATETIME4: ("smalldatetime", 4),
    DATETIME: ("datetime", 8),
}
"""Types whose length is that of the type, with T-SQL's name and the bytes of a value."""
FIXED_OF = {name: kind for kind, (name, _) in FIXED.items()}
SIZED = {INTN: "int", BITN: "bit", FLOATN: "float", MONEYN: "money", DATETIMEN: "datetime"}
"""The same with a length of their own, so that they can be NULL; the name says which family."""
BY_SIZE = {
    INTN: {1: "tinyint", 2: "smallint", 4: "int", 8: "bigint"},
    BITN: {1: "bit"},
    FLOATN: {4: "real", 8: "float"},
    MONEYN: {4: "smallmoney", 8: "money"},
    DATETIMEN: {4: "smalldatetime", 8: "datetime"},
}
SIZED_OF = {name: (kind, size) for kind, sizes in BY_SIZE.items() for size, name in sizes.items()}
SCALED = {TIME: "time", DATETIME2: "datetime2", DATETIMEOFFSET: "datetimeoffset"}
SCALED_OF = {name: kind for kind, name in SCALED.items()}
COUNTED = {
    BIGVARBINARY: "varbinary",
    BIGVARCHAR: "varchar",
    BIGBINARY: "binary",
    BIGCHAR: "char",
    NVARCHAR: "nvarchar",
    NCHAR: "nchar",
}
COUNTED_OF = {name: kind for kind, name in COUNTED.items()}
COUNTED_OLD = {CHAR_OLD: "char", VARCHAR_OLD: "varchar", BINARY_OLD: "binary", VARBINARY_OLD: "varbinary"}
LONG = {IMAGE: "image", TEXT: "text", NTEXT: "ntext"}
LONG_OF = {name: kind for kind, name in LONG.items()}
TEXTS = frozenset({"char", "varchar", "nchar", "nvarchar", "text", "ntext", "xml", "sysname"})
WIDE = frozenset({"nchar", "nvarchar", "ntext", "sysname"})
PLP = 0xFFFF
PLP_NULL = 0xFFFFFFFFFFFFFFFF
PLP_UNKNOWN = 0xFFFFFFFFFFFFFFFE
VARIANT_BYTES = 8009


def time_bytes(scale: int) -> int:
    """How many bytes a time of this scale has."""
    return 3 if scale <= 2 else 4 if scale <= 4 else 5


def decimal_bytes(precision: int) -> int:
    """How many bytes a decimal of this precision has, its sign with it."""
    return 5 if precision <= 9 else 9 if precision <= 19 else 13 if precision <= 28 else 17
