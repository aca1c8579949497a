"""The members of the domain: joined once, smbd and winbindd started at each boot, their own names written with their own account."""

from __future__ import annotations

from tests.lab import files
from tests.lab.hosts import LabHost
from tests.lab.places import ADMIN_AUTH_FILE, PLACES, REALM
from tests.lab.waiting import until


def join(host: LabHost) -> None:
    """Make the host a member, with a keytab that only root reads; its A record is registered with its own account."""
    host.write("/etc/samba/smb.conf", files.member_conf(host) + (files.DOCS if host.name == "alpha" else ""))
    host.run(["net", "ads", "join", "-A", ADMIN_AUTH_FILE, "--no-dns-updates"], timeout_s=180)
    host.path("/etc/krb5.keytab").chmod(0o600)
    register(host)


def register(host: LabHost) -> None:
    """Write the host's A and PTR records as its own account, so that it owns them, as a real member does."""
    *_, last = host.address.split(".")
    zone = ".".join(reversed(host.address.split(".")[:3])) + ".in-addr.arpa"
    forward = f"update delete {host.fqdn} A\nupdate add {host.fqdn} 3600 A {host.address}\nsend\n"
    reverse = f"update delete {last}.{zone} PTR\nupdate add {last}.{zone} 3600 PTR {host.fqdn}.\nsend\n"
    cache = {"KRB5CCNAME": "FILE:/run/register.cc"}
    host.run(["kinit", "-k", f"{host.name.upper()}$@{REALM}"], env=cache)
    for text in (forward, reverse):
        # This server's answer to a signed update does not verify, though the update was made: the record is read back.
        host.run(["nsupdate", "-g"], input=f"server {PLACES['dc1'].address}\n{text}", env=cache, check=False)
    host.path("/run/register.cc").unlink()
    until(f"{host.name} has registered itself", lambda: _found(host), 30)


def _found(host: LabHost) -> bool:
    dig = ["dig", "+short", f"@{PLACES['dc1'].address}"]
    there = host.run([*dig, host.fqdn, "A"]).stdout.split() == [host.address]
    return there and host.run([*dig, "-x", host.address]).stdout.split() == [f"{host.fqdn}."]


def make_share(host: LabHost) -> None:
    """The directory of the share docs: the domain's users may write. winbindd is running."""
    host.run(["mkdir", "-p", "/srv/docs"])
    host.run(["chgrp", "domain users", "/srv/docs"])
    host.run(["chmod", "2770", "/srv/docs"])


def start(host: LabHost) -> None:
    """Start winbindd and smbd and wait until both serve."""
    host.run(["winbindd", "-D"])
    host.run(["smbd", "-D"])
    until(
        f"winbindd of {host.name} reaches the domain",
        lambda: not host.run(["wbinfo", "-p"], check=False).returncode,
        90,
    )
    until(f"{host.name} knows the domain's users", lambda: not host.run(["id", "writer"], check=False).returncode, 90)
    until(f"smbd of {host.name} listens", lambda: ":445 " in host.run(["ss", "-Hltn"]).stdout, 60)


def stop(host: LabHost) -> None:
    """Stop both in good order."""
    host.run(["pkill", "-x", "smbd|winbindd"], check=False)  # of this host: it sees no others
    until(f"{host.name} has stopped", lambda: host.run(["pgrep", "-x", "smbd|winbindd"], check=False).returncode, 60)
