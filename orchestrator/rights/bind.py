"""Rights of a TSIG key on BIND: lines of update-policy for exactly the names and types that change, and transfers to find them."""

from __future__ import annotations

from collections.abc import Iterator

from orchestrator.rights.values import Grant, Wanted

WHY = "the records are pointed to the target, and back; a transfer finds them"


def grants(wanted: Wanted) -> Iterator[Grant]:
    """One for each zone."""
    for zone in dict.fromkeys(name.zone for name in wanted.signed):
        names = [name for name in wanted.signed if name.zone == zone]
        lines = [f"grant {wanted.key} name {name.name} {' '.join(name.types)};" for name in names]
        block = (
            f'zone "{zone.rstrip(".")}" {{',
            "    # beside type, file and what else the zone has; allow-update must not stand there as well",
            "    update-policy {",
            *(f"        {line}" for line in lines),
            "    };",
            f'    allow-transfer {{ key "{wanted.key}"; }};',
            "};",
        )
        what = ", ".join(name.name for name in names)
        yield Grant(
            f"key {wanted.key}",
            "update and transfer",
            what,
            WHY,
            "the zone's primary: named.conf, then rndc reconfig",
            block,
        )
