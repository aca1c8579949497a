"""An engine asks the application of its source, raises an alert, and fails nothing over."""

from __future__ import annotations

import pytest

from orchestrator.engine.client import AnswerRefused, schema


@pytest.mark.covers("AM-22")
def test_a_target_raises_an_alert_when_the_application_is_not_well_and_stays_a_target(engines, until, tmp_path):
    beta = engines.make("beta")
    well = tmp_path / "well"
    side = {"name": "alpha", "engine_id": "a" * 32, "control_address": "127.0.0.9", "fingerprint": "a" * 64}
    asks = {"name": "file", "command": ["sh", "-c", f"ls {well}"]}
    monitor = {"interval_s": 3600, "application": {"interval_s": 1, "errors": 2, "points": [asks]}}
    with beta.local() as client:
        own = client.server()
        target = {**side, "name": "beta", "engine_id": own.engine_id, "fingerprint": own.fingerprint}
        told = {"id": "sql", "application": "sql", "role": "target", "source": side, "target": target}
        given = schema.Protection.model_validate({**told, "replication_set": "sql", "monitor": monitor})
        client.put_protection(given)
        client.protection_action("sql", "enable_monitor")
        until(lambda: [one for one in client.events() if one.kind == "application"], 60, "an alert")
        assert "2 times in a row: file: ls: cannot access" in client.events()[-1].sentence
        state = client.protection_state("sql")
        assert state.details["application"]["alarmed"]
        assert (state.phase, state.fence.held) == ("idle", True)
        well.touch()
        assert client.protection_action("sql", "ask_application").details["application"]["errors"] == 0
        client.put_protection(given.model_copy(update={"monitor": schema.Monitor()}))
        with pytest.raises(AnswerRefused, match="says nothing of application monitoring"):
            client.protection_action("sql", "ask_application")
