"""What the libraries of a login raise is told as one failure, with what to do."""

from __future__ import annotations

import pytest

from orchestrator.hosts.winrm_failures import explained
from orchestrator.hosts.winrm_login import LoginFailed, one_failure


def test_libraries_of_kerberos_that_are_not_installed_are_named() -> None:
    with pytest.raises(LoginFailed) as failed, one_failure():
        raise ImportError("GSSAPIProxy requires the Python gssapi library")
    told = explained(failed.value, "w", "http://w:5985/wsman", "")
    assert told.exit_code == 63
    assert "pip install 'dtam[kerberos]'" in str(told)
    assert "password" not in told.hint
