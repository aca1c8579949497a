"""Steps ready-made: each function gives one Step with its look, its do and its undo.

A plugin puts them in order and adds its own. Ids are stable, kebab-case, and end with what they act on, so that a journal of
yesterday, a run file on a host and a plan of today speak of the same thing. Sentences are orders a person understands.
"""

from __future__ import annotations

from orchestrator.sdk.steps.data import (
    await_in_step,
    capture,
    connect,
    demote,
    disconnect,
    pair_engines,
    remove_replication_set,
    replication_set,
    settle,
)
from orchestrator.sdk.steps.epochs import fail_over, fence, grant, lift_fence, monitor, release_lease, take_epoch
from orchestrator.sdk.steps.hosts import (
    deliver_script,
    engines_answer,
    give_document,
    make_directory,
    own_keytab,
    run_script,
    set_start_type,
    start_service,
    stop_service,
    take_document,
)
from orchestrator.sdk.steps.identity import (
    AtTarget,
    drop_shares,
    give_addresses_back,
    give_names_back,
    give_spns_back,
    keep_shares,
    put_shares,
    stay_here,
    take_addresses,
    take_names,
    take_shares_away,
    take_spns,
)
from orchestrator.sdk.steps.making import NOTHING, act, covered, in_script, irreversible
from orchestrator.sdk.steps.names import add_names, ask_as_client, move_names, put_names_back, put_ttl_back, set_ttl

__all__ = [
    "NOTHING",
    "AtTarget",
    "act",
    "add_names",
    "ask_as_client",
    "await_in_step",
    "capture",
    "connect",
    "covered",
    "deliver_script",
    "demote",
    "disconnect",
    "drop_shares",
    "engines_answer",
    "fail_over",
    "fence",
    "give_addresses_back",
    "give_document",
    "give_names_back",
    "give_spns_back",
    "grant",
    "in_script",
    "irreversible",
    "keep_shares",
    "lift_fence",
    "make_directory",
    "monitor",
    "move_names",
    "own_keytab",
    "pair_engines",
    "put_names_back",
    "put_shares",
    "put_ttl_back",
    "release_lease",
    "remove_replication_set",
    "replication_set",
    "run_script",
    "set_start_type",
    "set_ttl",
    "settle",
    "start_service",
    "stay_here",
    "stop_service",
    "take_addresses",
    "take_document",
    "take_epoch",
    "take_names",
    "take_shares_away",
    "take_spns",
]
