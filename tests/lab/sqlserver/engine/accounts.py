"""Security identifiers and password hashes, as Windows and SQL Server compute them."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import struct
import zlib

SA = b"\x01"
WELL_KNOWN = {
    "BUILTIN\\ADMINISTRATORS": "S-1-5-32-544",
    "BUILTIN\\USERS": "S-1-5-32-545",
    "NT AUTHORITY\\SYSTEM": "S-1-5-18",
    "NT AUTHORITY\\NETWORK SERVICE": "S-1-5-20",
    "NT AUTHORITY\\LOCAL SERVICE": "S-1-5-19",
    "NT AUTHORITY\\AUTHENTICATED USERS": "S-1-5-11",
}
ITERATIONS_2025 = 100_000


def binary_sid(text: str) -> bytes:
    """``S-1-5-21-...`` in binary."""
    parts = [int(part) for part in text.split("-")[1:]]
    return (
        struct.pack("<BB", parts[0], len(parts) - 2)
        + parts[1].to_bytes(6, "big")
        + struct.pack(f"<{len(parts) - 2}I", *parts[2:])
    )


def service_sid(service: str) -> bytes:
    """Of NT SERVICE\\name: the hash of the name, the same on every machine."""
    digest = hashlib.sha1(service.upper().encode("utf-16-le"), usedforsecurity=False).digest()
    return binary_sid("S-1-5-80-" + "-".join(str(part) for part in struct.unpack("<5I", digest)))


def machine_sid(machine: str, account: str) -> bytes:
    """Of an account of the machine itself: two machines differ."""
    digest = hashlib.sha1(machine.upper().encode(), usedforsecurity=False).digest()
    first, second, third = struct.unpack("<3I", digest[:12])
    relative = 1000 + zlib.crc32(account.upper().encode()) % 50_000
    return binary_sid(f"S-1-5-21-{first}-{second}-{third}-{relative}")


def new_sid() -> bytes:
    """Of a new SQL login."""
    return secrets.token_bytes(16)


def hash_password(password: str, version: int, salt: bytes | None = None) -> bytes:
    """What PWDENCRYPT gives: 1 = SHA-1, 2 = SHA-512 (2012), 3 = iterated SHA-512 (2025; its layout here is this simulation's)."""
    text = password.encode("utf-16-le")
    if version == 3:
        salt = salt or secrets.token_bytes(16)
        return b"\x03\x00" + salt + hashlib.pbkdf2_hmac("sha512", text, salt, ITERATIONS_2025)
    salt = salt or secrets.token_bytes(4)
    digest = hashlib.sha1(text + salt, usedforsecurity=False) if version == 1 else hashlib.sha512(text + salt)
    return bytes([version, 0]) + salt + digest.digest()


def hash_version(stored: bytes) -> int:
    """1, 2, 3, or 0 when it is no hash."""
    lengths = {b"\x01\x00": (26, 46), b"\x02\x00": (70,), b"\x03\x00": (82,)}
    return stored[0] if len(stored) in lengths.get(stored[:2], ()) else 0


def matches(password: str, stored: bytes) -> bool:
    """Is this the password (PWDCOMPARE)?"""
    version = hash_version(stored)
    if not version:
        return False
    salt = stored[2:18] if version == 3 else stored[2:6]
    made = hash_password(password, version, salt)
    return hmac.compare_digest(made, stored[: len(made)])
