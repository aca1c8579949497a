"""LOGIN7: who wants in; [MS-TDS] 2.2.6.4."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.lab.sqlserver.wire.reading import Fields, Malformed

TDS_72 = 0x72090002
TDS_73A = 0x730A0003
TDS_73B = 0x730B0003
TDS_74 = 0x74000004
INTEGRATED = 0x80
CHANGES_PASSWORD = 0x01
EXTENDED = 0x10
TERMINATOR = 0xFF
FIXED_BYTES = 94


@dataclass(frozen=True, slots=True)
class Login7:
    """What the message says. ``features``: the extension's blocks by their number."""

    tds: int
    packet_size: int
    process_id: int
    host: str
    user: str
    password: str = field(repr=False)
    application: str
    server: str
    interface: str
    language: str
    database: str
    sspi: bytes | None = field(repr=False)
    new_password: str = field(repr=False)
    attach: str = ""
    features: dict[int, bytes] | None = None


def revealed(password: bytes) -> str:
    """A password as it was before it was turned around for the wire."""
    turned = bytes((one ^ 0xA5) for one in password)
    return bytes(((one << 4) & 0xF0) | (one >> 4) for one in turned).decode("utf-16-le", "surrogatepass")


def hidden(password: str) -> bytes:
    """A password as the wire has it; the turning is no encryption."""
    raw = password.encode("utf-16-le", "surrogatepass")
    return bytes((((one << 4) & 0xF0) | (one >> 4)) ^ 0xA5 for one in raw)


class _Parts:
    """The variable part, by offset and length."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    def raw(self, offset: int, length: int) -> bytes:
        if length and not FIXED_BYTES <= offset <= len(self.body) - length:
            raise Malformed("LOGIN7: a field lies outside")
        return self.body[offset : offset + length]

    def text(self, pair: tuple[int, int]) -> str:
        return self.raw(pair[0], 2 * pair[1]).decode("utf-16-le", "surrogatepass")


def parse(body: bytes) -> Login7:
    """Raises Malformed."""
    fields = Fields(body)
    length, tds, packet_size, _, process_id, _ = (fields.u32() for _ in range(6))
    if length != len(body) or length < FIXED_BYTES:
        raise Malformed(f"LOGIN7 of {len(body)} bytes says that it has {length}")
    _, flags2, _, flags3 = (fields.u8() for _ in range(4))
    fields.take(8)  # time zone and LCID
    pairs = [(fields.u16(), fields.u16()) for _ in range(9)]
    fields.take(6)  # the caller's network address
    sspi, attach, new = ((fields.u16(), fields.u16()) for _ in range(3))
    sspi_bytes = fields.u32() if sspi[1] == 0xFFFF else sspi[1]
    parts = _Parts(body)
    host, user, password, application, server, extension, interface, language, database = pairs
    return Login7(
        tds=tds,
        packet_size=packet_size,
        process_id=process_id,
        host=parts.text(host),
        user=parts.text(user),
        password=revealed(parts.raw(password[0], 2 * password[1])),
        application=parts.text(application),
        server=parts.text(server),
        interface=parts.text(interface),
        language=parts.text(language),
        database=parts.text(database),
        sspi=parts.raw(sspi[0], sspi_bytes) if flags2 & INTEGRATED else None,
        new_password=revealed(parts.raw(new[0], 2 * new[1])) if flags3 & CHANGES_PASSWORD else "",
        attach=parts.text(attach),
        features=_features(parts, extension) if flags3 & EXTENDED else None,
    )


def _features(parts: _Parts, extension: tuple[int, int]) -> dict[int, bytes]:
    if extension[1] < 4:
        raise Malformed("LOGIN7: an extension without its offset")
    at = int.from_bytes(parts.raw(extension[0], 4), "little")
    if at >= len(parts.body):
        raise Malformed("LOGIN7: the extension lies outside")
    fields, found = Fields(parts.body, at), {}
    while (kind := fields.u8()) != TERMINATOR:
        found[kind] = fields.take(fields.u32())
    return found


def granted(asked: int, version: str) -> int:
    """The version of TDS of the connection: the newest that both have. Raises Malformed for one before 7.2."""
    major = int(version.split(".", 1)[0])
    newest = TDS_74 if major >= 11 else TDS_73B if major == 10 else TDS_72
    for one in (TDS_74, TDS_73B, TDS_73A, TDS_72):
        if one <= newest and one <= asked:
            return one
    raise Malformed(f"TDS version {asked:#x}")
