"""What the directory says about the two servers of a protection: accounts, who holds which service name, the controller's clock."""

from __future__ import annotations

import msgspec

SERVICES = ("HOST", "cifs")
"""Service classes that a file server's clients ask for; ``cifs`` stands for itself, because Samba's KDC needs it said."""


class Account(msgspec.Struct, frozen=True):
    """A computer's account. ``name`` ends with a dollar sign; ``is_controller``: it is a domain controller."""

    name: str
    dns_name: str = ""
    sid: str = ""
    spns: tuple[str, ...] = ()
    is_controller: bool = False
    enabled: bool = True

    @property
    def short(self) -> str:
        """The name without its dollar sign."""
        return self.name.rstrip("$")


class DomainInventory(msgspec.Struct, frozen=True):
    """The domain as one controller shows it. ``problem`` says why it could not be asked; ``asked`` whether anybody tried.

    ``holders``: for each wanted service name the accounts that hold it, or hold what stands for it. ``clock_ahead_s``: the
    controller's clock minus ours. ``forest_problem``: why the other domains of the forest could not be asked for holders.
    """

    asked: bool = False
    problem: str = ""
    domain: str = ""
    controller: str = ""
    source: Account | None = None
    target: Account | None = None
    holders: tuple[tuple[str, tuple[str, ...]], ...] = ()
    clock_ahead_s: float = 0.0
    forest_problem: str = ""


def service_names(source: Account, client_name: str) -> tuple[str, ...]:
    """The service names that move with a file server: HOST and cifs of each of its names, in the account's own spelling."""
    dns_name = source.dns_name or client_name
    hosts = dict.fromkeys((source.short, dns_name, client_name))
    known = {spn.lower(): spn for spn in source.spns}
    names = (f"{service}/{host}" for host in hosts for service in SERVICES)
    found = {name.lower(): known.get(name.lower(), name) for name in names}
    return tuple(found.values())
