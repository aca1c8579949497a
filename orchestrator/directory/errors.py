"""What can go wrong with the directory, each in one line with its own exit code (100 to 114)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class DirectoryError(DtamError):
    template = "unexpected from domain controller {server}: {reason}"
    exit_code = 100
    hint_template = "{advice}"

    def __init__(self, **facts: object) -> None:
        facts.setdefault("advice", "look at the log of that domain controller")
        super().__init__(**facts)


class ControllerUnreachable(DirectoryError):
    template = "no domain controller of {domain} answers ({reason})"
    exit_code = 101
    hint_template = (
        "is it up, and are ports 389 or 636 (LDAP) and 88 (Kerberos) open from here? name one with --controller"
    )


class CredentialsRefused(DirectoryError):
    template = "the domain refused the credentials of {principal} ({reason})"
    exit_code = 102
    hint_template = "{advice}"


class TicketExpired(DirectoryError):
    template = "the Kerberos ticket of {principal} has expired"
    exit_code = 103
    hint_template = "run: kinit {principal}; or give a keytab, from which tickets are renewed"


class ClockOff(DirectoryError):
    template = "the clock here and that of the domain {domain} are too far apart for Kerberos ({reason})"
    exit_code = 104
    hint_template = "set this machine's clock by the domain's (five minutes are tolerated), then run it again"


class AccountMissing(DirectoryError):
    template = "the domain {domain} has no account {account}"
    exit_code = 105
    hint_template = "{advice}"


class RightMissing(DirectoryError):
    template = "the account {principal} may not change {what} of {dn} ({reason})"
    exit_code = 106
    hint_template = "have an administrator of the domain grant it for that object and nothing more: dtam rights"


class SpnNotUnique(DirectoryError):
    template = "the service principal name {spn} belongs to another account, so {dn} cannot have it"
    exit_code = 107
    hint_template = "take it from the other account first; find that one with: setspn -Q {spn}"


class ValueChanged(DirectoryError):
    template = "{what} of {dn} was changed by somebody meanwhile ({reason})"
    exit_code = 108
    hint_template = "read it again and decide anew; nothing was changed"


class EntryMissing(DirectoryError):
    template = "there is no object {dn} in the directory, or this account may not see it"
    exit_code = 109
    hint_template = "look at its spelling, and at whether it was deleted or moved"


class CertificateRefused(DirectoryError):
    template = "the certificate of domain controller {server} is not trusted ({reason})"
    exit_code = 110
    hint_template = (
        "give the authority that signed it as the CA file, and the controller by the name in its certificate"
    )


class DomainInvalid(DirectoryError):
    template = "{domain!r} cannot be used as a domain: {reason}"
    exit_code = 111
    hint_template = "give the domain's full DNS name, such as corp.example.com"


class SecretUnusable(DirectoryError):
    template = "the {kind} {path} cannot be used: {reason}"
    exit_code = 112
    hint_template = "{advice}"


class DescriptorInvalid(DirectoryError):
    template = "a security descriptor cannot be read: {reason}"
    exit_code = 113
    hint_template = "it is left alone; look at it with: dsacls, or samba-tool dsacl get"


class AccessInvalid(DirectoryError):
    template = "the access to the directory is incomplete: {reason}"
    exit_code = 114
    hint_template = "{advice}"
