"""Where the controllers of a protection's domain are looked for."""

from __future__ import annotations

import pytest

from orchestrator.directory.from_settings import directory_access
from orchestrator.model.settings import FailoverTab


@pytest.mark.parametrize(
    ("signed", "asked"),
    [
        ({"security": "kerberos"}, ("10.53.0.2",)),
        ({"security": "none"}, ("10.53.0.2",)),
        ({"security": "tsig", "key_file": "/etc/dtam/tsig.key"}, ()),
    ],
)
def test_servers_with_tsig_keys_are_not_asked_for_controllers(signed, asked):
    dns = {"servers": ["10.53.0.2", "10.53.0.3:5353"]} | signed
    failover = FailoverTab.model_validate({"dns": dns, "directory": {"domain": "lab.example"}})
    access = directory_access(failover)
    assert access is not None
    assert access.dns_servers == asked
