"""Proof of a database file: a hash of every page, and the log's frames, so that a lost, mixed or torn page is found.

The log is SQLite's write-ahead log, its format as sqlite.org/fileformat2 publishes it. A file is right when every page that the log
does not hold is the page that the proof at the log's beginning names. That also finds a file that is newer than its log.
"""

from __future__ import annotations

import os
import struct
from array import array
from collections.abc import Mapping
from dataclasses import dataclass

import xxhash

PAGE = 4096
SEAL_AT, SEAL_LENGTH = (
    72,
    20,
)  # reserved in the header of the format: here the seal of the whole file after a checkpoint
SEAL_MAGIC = b"SEAL"
FRAME_HEADER = 24
LOG_HEADER = 32
CHUNK = 256  # pages whose hashes stand in one row of the proof


@dataclass(frozen=True, slots=True)
class Log:
    """The frames of a log up to its last whole commit."""

    latest: Mapping[int, int]  # page -> where its last committed content stands in the log
    frames: int
    size: int  # of the database after the last commit, in pages
    valid_header: bool

    @property
    def pages(self) -> frozenset[int]:
        """The pages that it holds."""
        return frozenset(self.latest)


EMPTY = Log({}, 0, 0, valid_header=False)


def page_hash(number: int, content: bytes) -> int:
    """Of one page; the seal on the first page is left out."""
    if number == 1:
        content = content[:SEAL_AT] + bytes(SEAL_LENGTH) + content[SEAL_AT + SEAL_LENGTH :]
    return xxhash.xxh3_64_intdigest(content, seed=number)


def hash_pages(descriptor: int, size_bytes: int) -> array[int]:
    """The hashes of all whole pages of an open file."""
    hashes = array("Q")
    step = 256
    for first in range(0, size_bytes // PAGE, step):
        content = os.pread(descriptor, step * PAGE, first * PAGE)
        for at in range(0, len(content) - len(content) % PAGE, PAGE):
            hashes.append(page_hash(first + at // PAGE + 1, content[at : at + PAGE]))
    return hashes


def seal(hashes: array[int]) -> bytes:
    """What stands in the header of a file whose log has been carried into it."""
    return SEAL_MAGIC + xxhash.xxh3_128_digest(hashes.tobytes(), seed=len(hashes))


def chunk_hash_bytes(hashes: array[int], chunk: int) -> bytes:
    """One row of the proof."""
    return hashes[chunk * CHUNK : (chunk + 1) * CHUNK].tobytes()


def _checksum(data: bytes, order: str, first: int, second: int) -> tuple[int, int]:
    words = struct.unpack(f"{order}{len(data) // 4}I", data)
    for at in range(0, len(words), 2):
        first = (first + words[at] + second) & 0xFFFFFFFF
        second = (second + words[at + 1] + first) & 0xFFFFFFFF
    return first, second


def read_log(descriptor: int, size_bytes: int) -> Log:
    """The log as recovery sees it: it ends at the first frame that does not fit."""
    nothing = EMPTY
    header = os.pread(descriptor, LOG_HEADER, 0)
    if len(header) < LOG_HEADER:
        return nothing
    magic, _, page_size, _, salt1, salt2, sum1, sum2 = struct.unpack(">8I", header)
    if magic not in {0x377F0682, 0x377F0683} or page_size != PAGE:
        return nothing
    order = ">" if magic & 1 else "<"
    first, second = _checksum(header[:24], order, 0, 0)
    if (first, second) != (sum1, sum2):
        return nothing
    seen: dict[int, int] = {}
    committed: dict[int, int] = {}
    frames = size = 0
    for count, at in enumerate(range(LOG_HEADER, size_bytes - FRAME_HEADER - PAGE + 1, FRAME_HEADER + PAGE), 1):
        frame = os.pread(descriptor, FRAME_HEADER + PAGE, at)
        number, commit, frame_salt1, frame_salt2, want1, want2 = struct.unpack(">6I", frame[:FRAME_HEADER])
        if (frame_salt1, frame_salt2) != (salt1, salt2) or not number:
            break
        first, second = _checksum(frame[:8], order, first, second)
        first, second = _checksum(frame[FRAME_HEADER:], order, first, second)
        if (first, second) != (want1, want2):
            break
        seen[number] = at + FRAME_HEADER
        if commit:
            committed, frames, size = dict(seen), count, commit
    return Log(committed, frames, size, valid_header=True)


def image(data: int, log_descriptor: int, log: Log) -> bytes:
    """The database as recovery would leave it, without touching a file; it says of itself that it has no log."""
    made = bytearray(os.pread(data, log.size * PAGE, 0).ljust(log.size * PAGE, b"\0"))
    for page, at in log.latest.items():
        if page <= log.size:
            made[(page - 1) * PAGE : page * PAGE] = os.pread(log_descriptor, PAGE, at)
    made[18:20] = b"\1\1"
    return bytes(made)


def frame_pages(descriptor: int, frames: int) -> set[int]:
    """The pages of the first so many frames, of a log that this process wrote."""
    return {
        struct.unpack(">I", os.pread(descriptor, 4, LOG_HEADER + frame * (FRAME_HEADER + PAGE)))[0]
        for frame in range(frames)
    }


def differing(hashes: array[int], proof: array[int], logged: frozenset[int]) -> list[int]:
    """The pages that are not what the proof says and that the log does not hold."""
    wrong = [
        at + 1
        for at, (have, want) in enumerate(zip(hashes, proof, strict=False))
        if have != want and at + 1 not in logged
    ]
    shorter, longer = sorted((len(hashes), len(proof)))
    wrong.extend(page for page in range(shorter + 1, longer + 1) if page not in logged)
    return wrong
