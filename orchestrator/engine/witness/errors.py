"""What can go wrong between an engine and its witness (exit codes 70-74)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class WitnessUnreachable(DtamError):
    template = "the witness at {address}:{port} does not answer: {why}"
    exit_code = 70
    hint_template = "look on that machine: dtwitness status; is port {port} open from here?"


class WitnessRefusesClient(DtamError):
    template = "the witness at {address}:{port} refuses this engine: {why}"
    exit_code = 71
    hint_template = "enrol the engine's certificate at the witness: dtwitness enrol CERTIFICATE.pem --state DIR"


class WrongWitness(DtamError):
    template = "the server at {address}:{port} is not the pinned witness: expected {expected}, found {found}"
    exit_code = 72
    hint_template = (
        "compare with 'dtwitness fingerprint' on the witness; if its key was renewed, set the new fingerprint"
    )


class RecordDamaged(DtamError):
    template = "{path} is damaged: {why}"
    exit_code = 73
    hint_template = (
        "do not delete it unread: it says who may be master; docs/explanation/never-two-masters.md tells how to go on"
    )


class WitnessCannotServe(DtamError):
    template = "the witness cannot serve on {address}:{port}: {why}"
    exit_code = 74
    hint_template = "choose another port with --port, or end what uses it: ss -ltnp 'sport = :{port}'"
