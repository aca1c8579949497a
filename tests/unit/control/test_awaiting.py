"""Which scripts a failover waits for, as the document says it."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.engine.control.schema import Protection
from orchestrator.engine.control.target_state import executor_settings

SIDE = {"name": "a", "engine_id": "00" * 16, "fingerprint": "00" * 32, "control_address": "192.0.2.1"}


@pytest.mark.parametrize(
    ("said", "waits"),
    [
        ({}, (True, True)),
        ({"wait": False}, (False, False)),
        ({"wait_pre_script": False}, (False, True)),
        ({"wait": False, "wait_post_script": True}, (False, True)),
    ],
)
def test_a_word_about_one_script_goes_before_the_one_about_all(said: dict[str, Any], waits: tuple[bool, bool]) -> None:
    document = Protection.model_validate(
        {
            "id": "p",
            "application": "fileprint",
            "role": "target",
            "source": SIDE,
            "target": SIDE,
            "replication_set": "p",
            "failover": said,
        }
    )
    settings = executor_settings(document, "candidate")
    assert (settings.wait_for_pre_script, settings.wait_for_post_script) == waits
