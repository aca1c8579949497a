"""Who holds the service names of an application's instances, as the domain shows it: a service account, a computer, nobody, two."""

from __future__ import annotations

from orchestrator.directory.port import DirectoryAccess
from orchestrator.identity.domain_view import DirectoryView
from tests.doubles.directory import BASE, MemoryDirectory

ASKED = ("MSSQLSvc/{host}:1433", "MSSQLSvc/{host}", "MSSQLSvc/{host}:SALES")


def domain(*names: str) -> MemoryDirectory:
    """Two computers; ``sqlsvc`` holds the names."""
    directory = MemoryDirectory()
    for name in ("ALPHA", "BETA"):
        held = {"sAMAccountName": [f"{name}$"], "dNSHostName": [f"{name.lower()}.lab.example"]}
        spns = [f"HOST/{name}", "MSSQLSvc/alpha.lab.example:SALES"] if name == "ALPHA" else [f"HOST/{name}"]
        directory.add(f"CN={name},{BASE}", {**held, "servicePrincipalName": spns, "objectClass": ["computer"]})
    directory.add(f"CN=sqlsvc,{BASE}", {"sAMAccountName": ["sqlsvc"], "servicePrincipalName": list(names)})
    return directory


def test_further_names_are_looked_for_with_each_name_of_the_source() -> None:
    directory = domain("MSSQLSvc/ALPHA.lab.example:1433", "MSSQLSvc/alpha.lab.example:SALES")
    view = DirectoryView(DirectoryAccess("lab.example"), lambda _access: directory)  # type: ignore[arg-type,return-value]
    found = view.look("ALPHA", "BETA", "sql.lab.example", ASKED)
    assert not found.problem
    held = {spn: accounts for spn, accounts in found.holders if spn.startswith("MSSQLSvc")}
    assert held == {
        "MSSQLSvc/alpha.lab.example:1433": ("sqlsvc",),
        "MSSQLSvc/alpha.lab.example": (),
        "MSSQLSvc/alpha.lab.example:SALES": ("ALPHA$", "sqlsvc"),
        "MSSQLSvc/sql.lab.example:1433": (),
        "MSSQLSvc/sql.lab.example": (),
        "MSSQLSvc/sql.lab.example:SALES": (),
    }
    assert {spn for spn, _ in view.look("ALPHA", "BETA", "sql.lab.example").holders if "MSSQL" in spn} == set()
