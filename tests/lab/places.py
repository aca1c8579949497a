"""Who stands where in the lab: names and addresses, the same in every lab, since each lab has a network of its own."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

DOMAIN = "lab.example"
REALM = "LAB.EXAMPLE"
WORKGROUP = "LAB"
BRANCH = "branch.example"  # the zone of BIND, updated with TSIG
SUBNETS = ("10.53.0", "10.53.1")  # /24 each; the router is .1 of both
REVERSE_ZONES = ("0.53.10.in-addr.arpa", "1.53.10.in-addr.arpa")
SECRETS = Path("/etc/lab")  # on every host, 0700
ADMIN_PASSWORD_FILE = SECRETS / "administrator.password"
ADMIN_AUTH_FILE = SECRETS / "administrator.auth"  # as smbclient -A and samba-tool -A read it
USER_PASSWORD_FILE = SECRETS / "user.password"
TSIG_KEY_FILE = SECRETS / "tsig.key"
CA_FILE = SECRETS / "ca.pem"
TSIG_KEY = "dtam-key"


@dataclass(frozen=True, slots=True)
class Place:
    """One host: what it is called, where it stands and what it does (controller, nameserver, member, windows or plain)."""

    name: str
    subnet: int
    number: int
    role: str
    at_once: bool = True  # False: booted when it is asked for

    @property
    def address(self) -> str:
        """Its own IPv4 address."""
        return f"{SUBNETS[self.subnet]}.{self.number}"

    @property
    def router(self) -> str:
        """Its way to the other subnet."""
        return f"{SUBNETS[self.subnet]}.1"

    @property
    def fqdn(self) -> str:
        """Its name in the domain."""
        return f"{self.name}.{DOMAIN}"


PLACES = {
    place.name: place
    for place in (
        Place("dc1", 0, 2, "controller"),
        Place("dc2", 1, 2, "controller", at_once=False),
        Place("ns2", 0, 4, "nameserver"),
        Place("alpha", 0, 10, "member"),
        Place("beta", 0, 20, "member"),
        Place("gamma", 1, 20, "member", at_once=False),
        Place("winalpha", 0, 60, "windows", at_once=False),
        Place("winbeta", 0, 70, "windows", at_once=False),
        Place("client", 0, 30, "plain"),
        Place("witness", 1, 40, "plain"),
    )
}
