"""What can go wrong with SQL Server, each in one line; exit codes 200 to 210."""

from __future__ import annotations

from orchestrator.errors import DtamError


class SqlError(DtamError):
    template = "SQL Server {server}: {reason}"
    exit_code = 200
    hint_template = "{advice}"

    def __init__(self, **facts: object) -> None:
        facts.setdefault("advice", "look at the error log of that instance")
        super().__init__(**facts)


class DriverMissing(SqlError):
    template = "no ODBC driver for SQL Server can be used here: {reason}"
    exit_code = 201


class SqlUnreachable(SqlError):
    template = "SQL Server {server} does not answer: {reason}"
    exit_code = 202


class SqlCertificateRefused(SqlError):
    template = "the certificate of SQL Server {server} is not trusted: {reason}"
    exit_code = 203
    hint_template = (
        "give the authority that signed it: failover.sql.login.ca_file; where it is self-signed and the network is trusted, "
        "failover.sql.login.trust_server_certificate: true"
    )


class SqlLoginRefused(SqlError):
    template = "SQL Server {server} lets {who} not in: {reason}"
    exit_code = 204


class SqlNotAllowed(SqlError):
    template = "SQL Server {server} does not allow {who} to do this: {reason}"
    exit_code = 205
    hint_template = "make the log-in a member of sysadmin there: ALTER SERVER ROLE sysadmin ADD MEMBER [...]"


class SqlTooOld(SqlError):
    template = "SQL Server {server} is of version {version}: {reason}"
    exit_code = 206


class SqlSecretUnusable(SqlError):
    template = "the password of {who} at SQL Server {server} cannot be had: {reason}"
    exit_code = 207


class KeptLoginsUnusable(SqlError):
    template = "the kept log-ins of {server} cannot be used: {reason}"
    exit_code = 208


class DeedInvalid(SqlError):
    template = "the document of {deed} cannot be used: {reason}"
    exit_code = 209
    hint_template = (
        "dtam step sql --help names the deeds; their documents are described in docs/explanation/databases.md"
    )


class DeedRefused(SqlError):
    template = "{reason}"
    exit_code = 210
