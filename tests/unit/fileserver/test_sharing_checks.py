"""The checks of a Samba file server in a domain: what makes each speak, and that all are silent on a sound pair."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from orchestrator.model.domain import Account, DomainInventory, service_names
from orchestrator.model.findings import Finding, Severity
from orchestrator.model.inventory import Inventory
from orchestrator.model.protections import Protection
from orchestrator.model.servers import EngineAccount
from orchestrator.model.settings import Settings
from orchestrator.model.shares import HostsLine, Keytab, Network, Samba, Share
from orchestrator.validate import validate
from plugins.fileserver import placing, sharing
from plugins.fileserver.application import FileServer
from tests.faults.rehearsal import protection, settings
from tests.unit.fileserver.test_checks import SOUND as PLAIN

replace = msgspec.structs.replace
LOCAL, DOMAIN = "S-1-5-21-7-7-7", "S-1-5-21-1-2-3"
KEYTAB = "/etc/krb5.keytab"
DOCS = Share("docs", "/srv/files/docs", "ours", "registry", {"read only": "No"}, f"D:(A;;0x001f01ff;;;{DOMAIN}-513)")
MEMBER = Samba(
    installed=True,
    version="4.17.12",
    role="ROLE_DOMAIN_MEMBER",
    workgroup="LAB",
    realm="LAB.EXAMPLE",
    kerberos_method="default",
    registry_shares=True,
    local_sid=LOCAL,
    running=("smbd", "winbindd"),
    winbind_names=True,
)
OURS = replace(MEMBER, netbios_name="ALPHA", shares=(DOCS,), networks=(Network("10.0.0.1", 24, "eth0"),))
THEIRS = replace(
    MEMBER,
    netbios_name="BETA",
    networks=(Network("10.0.0.2", 24, "eth0"),),
    keytabs=(Keytab(KEYTAB, True, 0o600, 0, ("BETA$@LAB.EXAMPLE",)),),
)
ALPHA = Account("ALPHA$", "alpha.lab.example", f"{DOMAIN}-1103", ("HOST/ALPHA", "HOST/alpha.lab.example"))
BETA = Account("BETA$", "beta.lab.example", f"{DOMAIN}-1104", ("HOST/BETA",))
LAB = DomainInventory(
    asked=True,
    domain="lab.example",
    controller="dc1.lab.example",
    source=ALPHA,
    target=BETA,
    holders=(("HOST/ALPHA", ("ALPHA$",)), ("cifs/ALPHA", ("ALPHA$",))),
)
SOUND = replace(PLAIN, source=replace(PLAIN.source, samba=OURS), target=replace(PLAIN.target, samba=THEIRS), domain=LAB)


def given(**failover: Any) -> Settings:
    values = settings().model_dump(mode="json", exclude_none=True)
    values["failover"] |= {"samba": {}, "directory": {"domain": "lab.example"}} | failover
    return Settings.model_validate(values)


def findings(inventory: Inventory, chosen: Settings | None = None) -> list[Finding]:
    whole: Protection = replace(protection(), settings=chosen or given())
    report = validate(FileServer().checks(), inventory, whole, 1000.0)
    return [one for one in report.findings if one.severity is not Severity.PASSED]


def source(**more: Any) -> Inventory:
    return replace(SOUND, source=replace(SOUND.source, samba=replace(OURS, **more)))


def target(**more: Any) -> Inventory:
    return replace(SOUND, target=replace(SOUND.target, samba=replace(THEIRS, **more)))


def domain(**more: Any) -> Inventory:
    return replace(SOUND, domain=replace(LAB, **more))


def told(takeover: dict[str, Any]) -> Inventory:
    return replace(SOUND, target=replace(SOUND.target, takeover=takeover))


def docs(**more: Any) -> Inventory:
    return source(shares=(replace(DOCS, **more),))


def test_a_sound_pair_passes() -> None:
    assert findings(SOUND) == []


CASES: list[tuple[str, Inventory, str, str]] = [
    ("samba-missing", target(installed=False, problems=("Samba is not installed here",)), "error", "not installed"),
    ("samba-missing", source(problems=("testparm failed: no",)), "error", "testparm failed"),
    ("share-missing", source(shares=()), "warning", "no share to move"),
    ("share-outside-data", docs(path="/elsewhere"), "error", "/elsewhere, which is not protected"),
    ("share-on-target", target(shares=(replace(DOCS, path="/other"),)), "error", "has a share docs already, of /other"),
    ("share-acl-unreadable", docs(acl_problem="'X' is no right"), "error", "docs cannot be read: 'X' is no right"),
    ("share-acl-local", docs(sddl=f"D:(A;;0x1;;;{LOCAL}-1000)"), "error", f"{LOCAL}-1000, known to alpha alone"),
    ("share-acl-local", target(unresolved_sids=(f"{DOMAIN}-513",)), "warning", "knows no name"),
    ("shares-changed-since", told({"shares": {"shares": []}}), "error", "docs were changed"),
    ("kerberos-by-keytab", target(kerberos_method="dedicated keytab"), "error", "is dedicated keytab"),
    ("winbind-missing", target(winbind_names=False), "error", "nsswitch.conf"),
    ("winbind-missing", source(running=("smbd",)), "error", "a running winbindd"),
    ("directory-unreachable", domain(problem="the clock is off"), "error", "the clock is off"),
    ("account-missing", domain(target=None), "error", "no account BETA$"),
    ("account-missing", domain(source=replace(ALPHA, enabled=False)), "error", "a disabled account ALPHA$"),
    ("domains-differ", target(realm="OTHER.EXAMPLE"), "error", "OTHER.EXAMPLE"),
    ("target-is-controller", target(role="ROLE_ACTIVE_DIRECTORY_DC"), "error", "beta is a domain controller"),
    ("target-is-controller", domain(target=replace(BETA, is_controller=True)), "error", "domain controller"),
    ("spn-held-elsewhere", domain(holders=(("cifs/ALPHA", ("ALPHA$", "OLD$")),)), "error", "held by OLD$"),
    ("forest-not-asked", domain(forest_problem="b.example could not be asked"), "warning", "b.example could not"),
    ("domain-clock", domain(clock_ahead_s=600.0), "error", "+600 s"),
    ("keytab-on-target", target(keytabs=(Keytab(KEYTAB, False),)), "error", "is not there"),
    ("keytab-on-target", target(keytabs=(Keytab(KEYTAB, True, is_link=True),)), "error", "is a symbolic link"),
    (
        "keytab-on-target",
        target(keytabs=(Keytab(KEYTAB, True, 0o600, 0, ("OTHER$@LAB.EXAMPLE",)),)),
        "error",
        "holds no key of BETA$@LAB.EXAMPLE, only of OTHER$@LAB.EXAMPLE",
    ),
    ("keytab-on-target", target(keytabs=(Keytab(KEYTAB, True, 0o640, 0),)), "error", "mode 0640"),
    ("hosts-file-names-source", target(hosts=(HostsLine("10.0.0.1", ("alpha",)),)), "error", "leads alpha to 10.0.0.1"),
    ("hosts-file-names-source", source(hosts=(HostsLine("10.9.9.9", ("files.lab.example",)),)), "error", "10.9.9.9"),
    ("address-leased", source(networks=(Network("10.0.0.1", 24, "eth0", True),)), "warning", "10.0.0.1 of alpha"),
]


@pytest.mark.covers("AM-37")
@pytest.mark.parametrize(("check", "inventory", "severity", "words"), CASES)
def test_each_check_speaks_with_a_reason_and_a_remedy(
    check: str, inventory: Inventory, severity: str, words: str
) -> None:
    found = [one for one in findings(inventory) if one.check == check]
    assert found, f"{check} is silent; others: {[one.check for one in findings(inventory)]}"
    assert found[0].severity.value == severity
    assert words in found[0].what
    assert found[0].why
    assert found[0].remedy


@pytest.mark.covers("AM-11")
@pytest.mark.parametrize(
    ("keytab", "fixed"),
    [
        (Keytab(KEYTAB, True, 0o644, 0, ("BETA$@LAB.EXAMPLE",)), ["own-keytab-target-etc-krb5.keytab"]),
        (Keytab(KEYTAB, True, 0o600, 33, ("BETA$@LAB.EXAMPLE",)), ["own-keytab-target-etc-krb5.keytab"]),
        (Keytab(KEYTAB, True, 0o644, 0, ("OTHER$@LAB.EXAMPLE",)), []),
        (Keytab(KEYTAB, True, is_link=True), []),
        (Keytab(KEYTAB, False), []),
    ],
)
def test_a_keytab_that_others_may_read_is_made_roots_alone(keytab: Keytab, fixed: list[str]) -> None:
    (found,) = findings(target(keytabs=(keytab,)))
    assert [one.id for one in found.fix] == fixed


@pytest.mark.parametrize(
    "line", [HostsLine("127.0.1.1", ("alpha", "alpha.lab.example")), HostsLine("10.0.0.1", ("alpha",))]
)
def test_the_source_may_know_itself(line: HostsLine) -> None:
    assert findings(source(hosts=(line,))) == []


@pytest.mark.parametrize(
    ("interface", "address", "words"),
    [("eth0", "10.0.0.1", ""), ("eth9", "10.0.0.1", "no interface eth9"), ("eth0", "10.0.1.1", "not in a subnet")],
)
def test_addresses_are_refused_across_subnets(interface: str, address: str, words: str) -> None:
    chosen = given(type="identity", identity={"addresses": [{"source": address, "interface": interface}]})
    found = [one.what for one in findings(SOUND, chosen) if one.check == "address-across-subnets"]
    assert bool(found) == bool(words)
    assert all(words in one for one in found)


@pytest.mark.parametrize(("host", "check"), [("Alpha.lab.example", ["engine-name-taken"]), ("wache.lab.example", [])])
def test_a_log_in_by_a_name_that_is_moved_is_told(host: str, check: list[str]) -> None:
    known = protection()
    engine = replace(known.pair.source.engine, account=EngineAccount(kerberos_host=host))
    pair = replace(known.pair, source=replace(known.pair.source, engine=engine))
    report = validate(FileServer().checks(), SOUND, replace(known, settings=given(), pair=pair), 1000.0)
    assert [one.check for one in report.findings if one.severity is not Severity.PASSED] == check


def waiting(**more: Any) -> Inventory:
    """The target was told of the shares as they are, and keeps them in a way of its own."""
    (told_of,) = sharing.documents(given(), SOUND)
    there = Share("docs", told_of["path"], "ours", "registry", {"available": "No"}, told_of["sddl"])
    kept = replace(SOUND.target, takeover={"shares": {"shares": [told_of]}})
    return replace(SOUND, target=replace(kept, samba=replace(THEIRS, shares=(replace(there, **more),))))


def test_shares_that_wait_as_they_are_at_the_source_are_found_well() -> None:
    assert findings(waiting()) == []


@pytest.mark.covers("AM-11")
@pytest.mark.parametrize("drift", [{"path": "/elsewhere"}, {"sddl": "D:(A;;0x001f01ff;;;WD)"}, {"name": "other"}])
def test_shares_that_wait_otherwise_are_made_anew(drift: dict[str, str]) -> None:
    (found,) = findings(waiting(**drift))
    assert (found.check, [one.id for one in found.fix]) == ("shares-not-ready", ["keep-shares"])
    assert found.fix[0].do.arguments["segments"] == ["keep-shares"]


def test_shares_of_protected_data_are_not_forgotten() -> None:
    found = [one.check for one in findings(SOUND, settings())]
    assert "samba-not-configured" in found


def test_a_volume_beside_directories_listed_by_hand_is_told() -> None:
    values = given().model_dump(mode="json", exclude_none=True)
    values["connection"] |= {"volumes": [{"source_path": "/data"}]}
    assert [one.check for one in findings(SOUND, Settings.model_validate(values))] == ["volume-not-protected"]


def test_updates_that_nobody_signs_are_told() -> None:
    chosen = given(dns={"servers": ["10.0.0.53"], "addresses": [{"source": "10.0.0.1", "target": "10.0.0.2"}]})
    assert [one.check for one in findings(SOUND, chosen)] == ["updates-unsigned"]


def test_a_shares_place_on_the_target() -> None:
    assert placing.target_path(given(), DOCS) == "/srv/replica/files/docs"
    assert placing.target_path(given(), replace(DOCS, path="/srv/files")) == "/srv/replica/files"
    assert placing.target_path(given(), replace(DOCS, path="/srv/files2")) is None
    (document,) = sharing.documents(given(), SOUND)
    assert (document["path"], document["sddl"]) == ("/srv/replica/files/docs", DOCS.sddl)


def test_directories_of_shares_are_the_outermost_ones() -> None:
    shares = [replace(DOCS, path=path) for path in ("/srv/a/b", "/srv/a", "/srv/ab")]
    assert sharing.roots_of(shares, ["/data", "/srv/ab/c"]) == ["/data", "/srv/a", "/srv/ab"]


def test_service_names_keep_the_accounts_spelling() -> None:
    names = service_names(replace(ALPHA, spns=("host/Alpha",)), "files.lab.example")
    assert names == (
        "host/Alpha",
        "cifs/ALPHA",
        "HOST/alpha.lab.example",
        "cifs/alpha.lab.example",
        "HOST/files.lab.example",
        "cifs/files.lab.example",
    )
