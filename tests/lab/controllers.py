"""The domain controllers: how they are made once, and started at each boot."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tests.lab import certificates
from tests.lab.hosts import LabHost
from tests.lab.places import (
    ADMIN_PASSWORD_FILE,
    CA_FILE,
    DOMAIN,
    PLACES,
    REALM,
    REVERSE_ZONES,
    USER_PASSWORD_FILE,
    WORKGROUP,
)
from tests.lab.waiting import until

OPTIONS = {
    "interfaces": "lo eth0",
    "bind interfaces only": "yes",
    "dsdb:schema update allowed": "yes",
    "dns forwarder": PLACES["ns2"].address,
    "server services": "-nbt, -wrepl, -ntp_signd, -dnsupdate",
    "disable netbios": "yes",
    "tls keyfile": "/etc/lab/tls.key",
    "tls certfile": "/etc/lab/tls.pem",
    "tls cafile": str(CA_FILE),
    "prefork children": "1",
    "machine password timeout": "0",
    "log file": "/var/log/samba/log.%m",
}
WITH_PASSWORD = {"PASSWD_FILE": str(ADMIN_PASSWORD_FILE)}  # read by Samba's programs that know no other file for it
BASE = ",".join(f"DC={label}" for label in DOMAIN.split("."))
PARTITIONS = (BASE, f"CN=Configuration,{BASE}", f"DC=DomainDnsZones,{BASE}", f"DC=ForestDnsZones,{BASE}")
PYTHON = "/usr/bin/python3"  # the one that has Samba's modules


def _options() -> list[str]:
    return [f"--option={key}={value}" for key, value in OPTIONS.items()]


def provision(dc1: LabHost) -> None:
    """Make the domain, its users and groups, on a host that has just been dressed; nothing is started."""
    argv = ["samba-tool", "domain", "provision", f"--realm={REALM}", f"--domain={WORKGROUP}", "--server-role=dc"]
    argv += ["--dns-backend=SAMBA_INTERNAL", f"--host-name={dc1.name}", f"--host-ip={dc1.address}", "--use-rfc2307"]
    dc1.run([*argv, f"--adminpass={dc1.path(ADMIN_PASSWORD_FILE).read_text()}", *_options()], timeout_s=300)
    script = Path(__file__).with_name("populate.py")
    dc1.run([PYTHON, script, USER_PASSWORD_FILE], timeout_s=300)


def add_zones(dc1: LabHost) -> None:
    """The reverse zones, secure-only as the forward zone is, and the addresses of hosts that do not write them themselves."""
    for zone in REVERSE_ZONES:
        dc1.run(["samba-tool", "dns", "zonecreate", "localhost", zone, "-UAdministrator"], env=WITH_PASSWORD)
    for name in ("client", "witness", "ns2"):
        place = PLACES[name]
        dc1.run(
            ["samba-tool", "dns", "add", "localhost", DOMAIN, name, "A", place.address, "-UAdministrator"],
            env=WITH_PASSWORD,
        )


def join(dc2: LabHost) -> None:
    """Make the second controller; the first is running."""
    argv = ["samba-tool", "domain", "join", DOMAIN, "DC", "--dns-backend=SAMBA_INTERNAL", "-UAdministrator"]
    dc2.run([*argv, f"--server={PLACES['dc1'].fqdn}", *_options()], env=WITH_PASSWORD, timeout_s=300)


def announce(dc2: LabHost) -> None:
    """Let the first controller know the second: records by which it is found, service names, and whom to tell of changes."""
    name_services(dc2)
    # The name and the GUID of dc2 were written by the join: that they cannot be added again is said, and is no failure.
    argv = ["samba_dnsupdate", "--use-samba-tool", "--all-names", f"--rpc-server-ip={PLACES['dc1'].address}"]
    dc2.run(argv, check=False, timeout_s=300)
    for partition in PARTITIONS:
        pull(dc2, PLACES["dc1"].fqdn, dc2.fqdn, partition)
    until(
        "dc2 can be found", lambda: dc2.fqdn in answers(dc2, PLACES["dc1"].address, f"_ldap._tcp.{DOMAIN}", "SRV"), 60
    )


def pull(asking: LabHost, to: str, origin: str, partition: str = BASE) -> None:
    """Have controller ``to`` take what it does not know yet from controller ``origin``, now."""
    argv = ["samba-tool", "drs", "replicate", to, origin, partition, "-UAdministrator"]
    asking.run(argv, env=WITH_PASSWORD)


def name_services(host: LabHost) -> None:
    """Give the controller's account its service principal names; otherwise that is done some time after its first start."""
    host.run(["samba_spnupdate"])


def certify(hosts: Iterable[LabHost]) -> None:
    """Give every host the certificate of the lab's own authority, and each controller and Windows server one that it issued."""
    authority = certificates.Authority()
    for host in hosts:
        host.write(CA_FILE, authority.text)
        if host.place.role not in {"controller", "windows"}:
            continue
        key, certificate = authority.issue(host.fqdn, host.address)
        host.write("/etc/lab/tls.key", key, 0o600)
        host.write("/etc/lab/tls.pem", certificate)


def start(host: LabHost) -> None:
    """Start the controller's daemon and wait until it answers for names, Kerberos and the directory."""
    host.run(["samba", "-D"])
    until(f"{host.name} answers DNS", lambda: answers(host, host.address, f"_ldap._tcp.{DOMAIN}", "SRV"), 120)
    until(f"{host.name} listens", lambda: listens(host, 88, 389, 445), 120)


def answers(host: LabHost, server: str, name: str, kind: str) -> str:
    """What a DNS server says to a host about a name."""
    dig = ["dig", "+short", "+time=1", "+tries=1", f"@{server}", name, kind]
    return host.run(dig, check=False).stdout.strip()


def listens(host: LabHost, *ports: int) -> bool:
    """Whether something listens on all of these TCP ports."""
    shown = host.run(["ss", "-Hltn"]).stdout
    return all(f":{port} " in shown for port in ports)


def stop(host: LabHost) -> None:
    """Stop the controller in good order, so that its databases are whole on its disk."""
    host.run(["sh", "-c", "kill $(cat /run/samba/samba.pid)"])
    until(
        f"{host.name} has stopped", lambda: host.run(["pgrep", "-x", "samba|smbd|winbindd"], check=False).returncode, 60
    )
