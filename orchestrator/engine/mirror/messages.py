"""What the two ends of a mirror say to each other: values, and their bytes (msgpack, tagged by a small number).

Messages go from source to target in the one ordered stream of the connection; replies come back in order. Every message has a
``serial``, and ``Handled`` confirms all up to one, after every reply that they caused. Paths are bytes relative to the root of the
replica, the root itself is empty; a ``name`` is the last part of a path. Invariant: handling a message twice is the same as once, so
a target that could not write tries the same message again.
"""

from __future__ import annotations

import stat as st
import struct
from enum import IntEnum

import msgspec

from orchestrator.engine.mirror.options import MirrorOptions

Xattrs = tuple[tuple[bytes, bytes], ...]


class Meta(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What is kept of a file besides its data.

    Attributes:
        mode: type and permission bits, as in ``st_mode``.
        size: of a regular file, in bytes.
        group: nonzero for a regular file with several names: the same number for each of them.
        link: where a symbolic link points to.
        device: the number of a device node.
    """

    mode: int
    uid: int
    gid: int
    size: int
    atime_ns: int
    mtime_ns: int
    group: int = 0
    xattrs: Xattrs = ()
    link: bytes = b""
    device: int = 0

    @property
    def is_file(self) -> bool:
        """Whether this is a regular file."""
        return st.S_ISREG(self.mode)

    @property
    def is_directory(self) -> bool:
        """Whether this is a directory."""
        return st.S_ISDIR(self.mode)


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One name of a directory.

    Attributes:
        force: size and time prove nothing here (it was changed meanwhile): compare the content.
        twin: another name of the same file that the target already has; this one becomes a link to it.
    """

    name: bytes
    meta: Meta
    force: bool = False
    twin: bytes = b""


class SmallFile(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A whole file."""

    name: bytes
    meta: Meta
    data: bytes


class Message(msgspec.Struct, array_like=True, frozen=True, gc=False, tag_field="t"):
    """Anything that the source says."""

    serial: int


class Begin(Message, frozen=True, tag=1):
    """A mirror begins, or goes on after a new connection (``resumed``): what was open at the target is closed."""

    options: MirrorOptions
    resumed: bool = False


class Entries(Message, frozen=True, tag=2):
    """Names of one directory: all but data is made right; ``Verdicts`` says which files must follow."""

    directory: bytes
    entries: list[Entry]


class Files(Message, frozen=True, tag=3):
    """Whole small files of one directory."""

    directory: bytes
    files: list[SmallFile]


class Attributes(Message, frozen=True, tag=4):
    """Files whose content was found equal: only the rest is made right."""

    directory: bytes
    entries: list[Entry]


class Open(Message, frozen=True, tag=5):
    """A big file begins. ``whole``: what the target has is not looked at. ``Opened`` answers."""

    transfer: int
    path: bytes
    meta: Meta
    whole: bool


class AskSums(Message, frozen=True, tag=6):
    """Checksums of the target's blocks in this range, please; ``Sums`` answers."""

    transfer: int
    offset: int
    length: int


class Data(Message, frozen=True, tag=7):
    """Bytes of a big file."""

    transfer: int
    offset: int
    data: memoryview


class Hole(Message, frozen=True, tag=8):
    """Here the source has nothing but zeros that occupy no room."""

    transfer: int
    offset: int
    length: int


class Close(Message, frozen=True, tag=9):
    """A big file is complete: its size and the rest."""

    transfer: int
    meta: Meta


class Abort(Message, frozen=True, tag=10):
    """A big file is given up: it was renamed, removed or replaced; what took its place is sent again."""

    transfer: int


class DirectoryDone(Message, frozen=True, tag=11):
    """Everything below was sent: mode, owner and times of the directory itself."""

    path: bytes
    meta: Meta


class Gone(Message, frozen=True, tag=12):
    """The source does not have these paths (any more): what the target has there are orphans.

    ``removed``: they go whatever the policy says, for the source had them, or their directory elsewhere, during this mirror.
    """

    paths: list[bytes]
    removed: bool = False


class Scan(Message, frozen=True, tag=13):
    """Which names has the target in this directory? ``Present`` answers, a page at a time; ask again while there are ``more``."""

    directory: bytes


class End(Message, frozen=True, tag=14):
    """All was sent; when this is handled the target equals the source as of ``log_end``. ``Ended`` answers after a syncfs."""

    log_end: int


class Stop(Message, frozen=True, tag=15):
    """The mirror was stopped: nothing of it is kept."""


class Survey(Message, frozen=True, tag=16):
    """Digests of directories (``survey``), one after the other; ``Surveyed`` answers. Only to a target that told that it takes them."""

    directories: list[bytes]
    digests: bytes


MirrorMessage = (
    Begin
    | Entries
    | Files
    | Attributes
    | Open
    | AskSums
    | Data
    | Hole
    | Close
    | Abort
    | DirectoryDone
    | Gone
    | Scan
    | End
    | Stop
    | Survey
)


class Need(IntEnum):
    """What the target needs of a file.

    WHOLE: all of it. BLOCKS: those that differ. SUM: all of it, if its checksum is not the one told (a small file). LINKED: nothing,
    it was made a link to its twin. ATTRIBUTES: owner, mode and the like (told by a verification only).
    """

    WHOLE = 1
    BLOCKS = 2
    SUM = 3
    LINKED = 4
    ATTRIBUTES = 5


class Verdict(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What one entry of an ``Entries`` needs; entries that need nothing are left out. ``why`` is for people."""

    index: int
    need: Need
    sum: bytes = b""
    why: str = ""


class Reply(msgspec.Struct, array_like=True, frozen=True, gc=False, tag_field="t"):
    """Anything that the target answers."""


class Handled(Reply, frozen=True, tag=1):
    """All messages up to this serial are handled. ``surveys``, after ``Begin``: this target can take digests of directories."""

    serial: int
    surveys: bool = False


class Verdicts(Reply, frozen=True, tag=2):
    """What the entries of message ``serial`` need."""

    serial: int
    verdicts: list[Verdict]


class Opened(Reply, frozen=True, tag=3):
    """The file is open; so many bytes of it can be compared."""

    transfer: int
    size: int


class Sums(Reply, frozen=True, tag=4):
    """xxh3_128 of each block from ``offset`` on, as far as the target's file goes."""

    transfer: int
    offset: int
    sums: bytes


class Present(Reply, frozen=True, tag=5):
    """Names that the target has in a directory."""

    directory: bytes
    names: list[bytes]
    more: bool


class Trouble(Reply, frozen=True, tag=6):
    """Something about a path could not be made right and the mirror goes on without it (no right to change the owner, no xattrs)."""

    path: bytes
    why: str


class Ended(Reply, frozen=True, tag=7):
    """The mirror is on disk; what was done with orphans."""

    log_end: int
    orphan_files: int
    orphan_directories: int
    orphan_bytes: int


class Surveyed(Reply, frozen=True, tag=8):
    """Which directories of message ``serial``, by index, differ or have no digest here."""

    serial: int
    differing: list[int]


MirrorReply = Surveyed | Handled | Verdicts | Opened | Sums | Present | Trouble | Ended

_LONG = struct.Struct(">BI")
"""MessagePack's bin 32; an empty bin, which it replaces, takes two bytes."""
_ENCODER = msgspec.msgpack.Encoder()
_MESSAGES: msgspec.msgpack.Decoder[MirrorMessage] = msgspec.msgpack.Decoder(MirrorMessage)
_REPLIES: msgspec.msgpack.Decoder[MirrorReply] = msgspec.msgpack.Decoder(MirrorReply)


def encode(said: MirrorMessage | MirrorReply) -> bytes:
    """The bytes of a message or of a reply."""
    return _ENCODER.encode(said)


def encode_apart(said: MirrorMessage) -> tuple[bytes, bytes] | None:
    """The bytes of a message up to its data, and the data, not copied: of ``Data`` that lies in bytes, which never change."""
    if not (isinstance(said, Data) and isinstance(said.data.obj, bytes) and said.data.nbytes == len(said.data.obj)):
        return None
    empty = _ENCODER.encode(Data(said.serial, said.transfer, said.offset, memoryview(b"")))
    return empty[:-2] + _LONG.pack(0xC6, said.data.nbytes), said.data.obj


def decode_message(data: bytes | bytearray | memoryview) -> MirrorMessage:
    """The message in these bytes; ``Data`` is a view into them.

    Raises:
        msgspec.DecodeError: no message, or one of another version.
    """
    return _MESSAGES.decode(data)


def decode_reply(data: bytes | bytearray | memoryview) -> MirrorReply:
    """The reply in these bytes.

    Raises:
        msgspec.DecodeError: no reply, or one of another version.
    """
    return _REPLIES.decode(data)
