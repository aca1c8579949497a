"""Each refusal of a controller becomes the one line that says what to do."""

from __future__ import annotations

import pytest

from orchestrator.directory.errors import (
    AccountMissing,
    CredentialsRefused,
    DirectoryError,
    EntryMissing,
    RightMissing,
    SpnNotUnique,
    ValueChanged,
)
from orchestrator.directory.failures import Question, Reply, explained, spn_values

ASKED = Question("dc1", "DTAM$", "CN=BETA,DC=lab", ("servicePrincipalName",), ("cifs/a", "host/a"))
WINDOWS_SPN = "000021C7: AtrErr: DSID-03200EDE, #1: 0: 000021C7: DSID-03200EDE, problem 1005, Att 90303"
SAMBA_SPN = "0000202F: samldb: spn[cifs/a] would cause a conflict"
LOGON = "80090308: LdapErr: DSID-0C090447, comment: AcceptSecurityContext error, data {}, v3839"


@pytest.mark.parametrize(
    ("code", "message", "kind", "says"),
    [
        (16, "00000057: no such", ValueChanged, "servicePrincipalName of CN=BETA,DC=lab"),
        (20, "exists", ValueChanged, "servicePrincipalName"),
        (68, "there", ValueChanged, "CN=BETA,DC=lab"),
        (32, "", EntryMissing, "CN=BETA,DC=lab"),
        (50, "00002098: SecErr", RightMissing, "DTAM$ may not change servicePrincipalName of CN=BETA,DC=lab"),
        (19, WINDOWS_SPN, SpnNotUnique, "cifs/a or host/a"),
        (19, SAMBA_SPN, SpnNotUnique, "name cifs/a belongs"),
        (19, "something else", DirectoryError, "something else"),
        (49, LOGON.format("525"), AccountMissing, "DTAM$"),
        (49, LOGON.format("52e"), CredentialsRefused, "wrong name or password"),
        (49, LOGON.format("775"), CredentialsRefused, "it is locked"),
        (49, "strange", CredentialsRefused, "strange"),
        (8, "Sign or Seal are required", DirectoryError, "Sign or Seal"),
        (53, "no\nway\0", DirectoryError, "unwilling: no way (CN=BETA,DC=lab)"),
    ],
)
def test_a_refusal_is_explained(code, message, kind, says):
    error = explained(Reply(code, "unwilling", message), ASKED, "lab.example")
    assert type(error) is kind
    assert says in str(error)
    assert error.hint
    assert "\n" not in f"{error}{error.hint}"


def test_principal_names_are_told_from_other_values():
    assert spn_values("SERVICEPRINCIPALNAME", [b"cifs/a", "x"]) == ("cifs/a", "x")
    assert spn_values("description", ["cifs/a"]) == ()
