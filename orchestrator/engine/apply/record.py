"""What a replica remembers across restarts besides its queue and its position: one small JSON file, replaced as a whole."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from orchestrator.engine.apply.errors import ReplicaUnusable
from orchestrator.engine.transfer.messages import DataState

RECORD_NAME = "replica.json"


class ReplicaRecord(msgspec.Struct, frozen=True):
    """Who replicates what to where, under which epoch, and what is known of the data."""

    key: str
    source: str
    protection: str
    replication_set: str
    root: str
    peer: str = ""
    """The fingerprint of the engine that introduced it."""
    epoch: int = 0
    promoted: bool = False
    data_state: DataState = DataState.NOT_READY
    says: str = ""
    """Why the data state is what it is."""
    verify_required: bool = False
    log_id: str = ""
    """The source's log that the queue continues; empty: none, only a fresh session can begin."""
    purpose: str = "protect"
    intact: bool = False
    """Good no longer, but nothing was written to the files since they were (``last_good.py``)."""
    kept: str = ""
    """The snapshot of the last good state, while a mirror overwrites it."""
    set_back_to: str = ""
    """The snapshot that the files were set back to; no session is taken until somebody resumes the replica."""


def load_record(directory: Path) -> ReplicaRecord:
    """Read the record.

    Raises:
        ReplicaUnusable: it is absent or no record.
    """
    try:
        return msgspec.json.decode((directory / RECORD_NAME).read_bytes(), type=ReplicaRecord)
    except (OSError, msgspec.MsgspecError) as error:
        raise ReplicaUnusable(where=directory, why=str(error)) from error


def save_record(directory: Path, record: ReplicaRecord) -> None:
    """Write the record; durable when this returns.

    Raises:
        OSError: the disk refused; the old record stands.
    """
    draft = directory / (RECORD_NAME + ".new")
    with draft.open("wb") as file:
        draft.chmod(0o600)
        file.write(msgspec.json.format(msgspec.json.encode(record)))
        file.flush()
        os.fsync(file.fileno())
    draft.replace(directory / RECORD_NAME)
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
