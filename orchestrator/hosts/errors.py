"""What can go wrong on the way to a host. Exit codes 30-36 belong to this room."""

from __future__ import annotations

from orchestrator.errors import DtamError
from orchestrator.model.outcomes import GiveUp


class TokenUnreadable(DtamError):
    template = "the token file {path} of server {server} cannot be used: {why}"
    exit_code = 30
    hint_template = (
        "make a token on that host (dtengine token create NAME --scope admin) and keep it in a file of mode 0600"
    )


class HostSilent(DtamError):
    template = "server {server} at {where} shows no certificate: {why}"
    exit_code = 31
    hint_template = "see on that host whether dtengine runs ('dtengine status') and whether a firewall is between"


class FingerprintNeeded(DtamError):
    template = "server {server} at {where} shows the certificate {fingerprint}, which nobody has confirmed"
    exit_code = 32
    hint_template = "compare it with 'dtengine server' on that host, then give it: --fingerprint {fingerprint}"


class ServerInUse(DtamError):
    template = "server {server} cannot be removed: protection {protection} uses it"
    exit_code = 33
    hint_template = "disable it first: dtam disable --protection {protection}"


class ServerDiffers(DtamError):
    template = "server {server} is known already, at {where} with the certificate {fingerprint}"
    exit_code = 34
    hint_template = "remove it first: dtam hosts remove {server}"


class HostWithoutEngine(HostSilent):
    """Somebody is at the address, and nobody at the engine's port."""

    template = "no engine answers on server {server} at {where}: {why}"
    hint_template = (
        "install it: dtam hosts install {server} --address {address} --ssh root@{address}; "
        "or start the one that is there: systemctl start dtengine"
    )


class InstallationFailed(DtamError):
    """A step on the host did not go through; nothing half-done was left."""

    template = "the engine on {server}: {step}: {why}"
    exit_code = 9
    hint_template = "{next}"


class HostNotReached(InstallationFailed):
    template = "{server} cannot be reached through {way}: {why}"


class PackageUnbuildable(InstallationFailed):
    template = "the engine's package cannot be made of this installation: {why}"
    hint_template = "install dtam anew: pip install dtam"


class FingerprintDiffers(InstallationFailed):
    template = "{where} shows the certificate {shown}, the engine of {server} has {fingerprint}"
    hint_template = "see who answers there: another engine, another host, or somebody between; nothing was trusted"


class PackageNotWritten(InstallationFailed):
    template = "the package cannot be written to {path}: {why}"
    hint_template = "give another file: --to FILE"


class NotOnThisPlatform(GiveUp):
    """A question or a deed that only the other platform knows; a mistake of whoever asked."""

    def __init__(self, what: str, server: str, platform: str) -> None:
        super().__init__(f"{what}: {server} runs {platform}", "see docs/how-to/windows-hosts.md for what differs")


class HostIsAnother(ServerDiffers):
    """An address led to another computer than the one that is known: nothing was done there."""

    template = "server {server} at {where} is the computer {found}, not {expected}: nothing was done there"
    hint_template = "was its address taken over? reach it by one of its own: dtam hosts add {server} --winrm ADDRESS"


class WinRmUnreachable(DtamError):
    """Nobody answers at the address, or the connection broke off."""

    template = "WinRM of {server} at {where} does not answer: {why}"
    exit_code = 60
    hint_template = "see on that host whether WinRM listens (winrm enumerate winrm/config/listener) and whether a firewall is between"


class AnswerLost(WinRmUnreachable):
    """The link broke while a deed was at work, and what became of it could not be asked yet."""

    template = "{server} did not say what became of it: {why}"
    hint_template = "run the same command again: it looks first at what was done"


class WinRmCertificateRefused(DtamError):
    template = "the certificate of {server} at {where} cannot be trusted: {why}"
    exit_code = 62
    hint_template = "give the authority that signed it (--ca-file FILE), and the name that stands in it as the address; there is no way around it"


class WinRmLoginRefused(DtamError):
    template = "WinRM of {server} at {where} does not let {account} in: {why}"
    exit_code = 63
    hint_template = "{advice}"


class WinRmNotAuthorised(DtamError):
    """The account is known, and may not use WinRM or what was asked for."""

    template = "{account} may not do this on {server}: {why}"
    exit_code = 3
    hint_template = (
        "make the account a member of the host's Administrators; a local one other than Administrator also needs "
        "LocalAccountTokenFilterPolicy: docs/how-to/windows-hosts.md"
    )


class WinRmQuota(DtamError):
    template = "WinRM of {server} has no room for this: {why}"
    exit_code = 4
    hint_template = "look at winrm get winrm/config on that host: MaxShellsPerUser, MaxConcurrentOperationsPerUser, MaxMemoryPerShellMB"


class WinRmClockOff(DtamError):
    template = "the clocks of {server}, its domain and this machine are too far apart: {why}"
    exit_code = 5
    hint_template = "set them by one time source; Kerberos tolerates five minutes"


class ScriptsForbidden(DtamError):
    """Its language mode or its execution policy keeps our scripts from running."""

    template = "{server} does not run our scripts: {why}"
    exit_code = 6
    hint_template = (
        "see Get-ExecutionPolicy -List and the application control policy there; where AllSigned holds, sign the scripts "
        "below C:\\Program Files\\dtam\\bin and install them again: docs/how-to/windows-hosts.md"
    )


class HostScriptChanged(ScriptsForbidden):
    template = "the script {script} on {server} is not the one that was installed: {why}"
    hint_template = "find out who changed it; then lay the scripts anew: dtam hosts install {server}"


class HostScriptMissing(HostScriptChanged):
    template = "the script {script} is not on {server}"
    hint_template = "lay the scripts: dtam hosts install {server}"


class HostScriptFailed(GiveUp):
    """A script ended with an error: its message, its name and the line."""

    def __init__(self, server: str, message: str, script: str, line: int, category: str = "") -> None:
        self.category = category
        where = f" ({script}, line {line})" if script else ""
        super().__init__(f"{server}: {message}{where}", "the sentence is the host's own; its event log may say more")
