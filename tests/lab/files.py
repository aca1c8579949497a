"""What stands in /etc of the lab's hosts."""

from __future__ import annotations

from tests.lab.hosts import LabHost
from tests.lab.places import (
    ADMIN_AUTH_FILE,
    ADMIN_PASSWORD_FILE,
    DOMAIN,
    PLACES,
    REALM,
    SECRETS,
    TSIG_KEY_FILE,
    USER_PASSWORD_FILE,
    WORKGROUP,
)

KRB5 = f"""\
[libdefaults]
    default_realm = {REALM}
    dns_lookup_realm = false
    dns_lookup_kdc = true
    rdns = false
    dns_canonicalize_hostname = false
    udp_preference_limit = 1
    kdc_timeout = 3
[realms]
    {REALM} = {{
        kdc = {PLACES["dc1"].fqdn}
        kdc = {PLACES["dc2"].fqdn}
        admin_server = {PLACES["dc1"].fqdn}
    }}
[domain_realm]
    .{DOMAIN} = {REALM}
    {DOMAIN} = {REALM}
"""
NSSWITCH = """\
passwd: files winbind
group: files winbind
shadow: files
hosts: files dns
services: files
protocols: files
"""
MEMBER = """\
[global]
    netbios name = {name}
    workgroup = {workgroup}
    realm = {realm}
    security = ads
    server role = member server
    kerberos method = secrets and keytab
    dedicated keytab file = /etc/krb5.keytab
    machine password timeout = 0
    idmap config * : backend = tdb
    idmap config * : range = 100000-199999
    idmap config {workgroup} : backend = rid
    idmap config {workgroup} : range = 10000-99999
    winbind use default domain = yes
    winbind enum users = yes
    winbind enum groups = yes
    template shell = /bin/bash
    template homedir = /home/%U
    password server = {dc1} *
    disable netbios = yes
    smb ports = 445
    dns proxy = no
    vfs objects = acl_xattr
    map acl inherit = yes
    store dos attributes = yes
    registry shares = yes
    usershare max shares = 100
    load printers = no
    printing = bsd
    printcap name = /dev/null
    disable spoolss = yes
    rpc start on demand helpers = true
    log file = /var/log/samba/log.%m
    max log size = 1000
"""
PLAIN = """\
[global]
    workgroup = {workgroup}
    realm = {realm}
    name cache timeout = 0
    disable netbios = yes
"""
DOCS = """\
[docs]
    comment = Documents
    path = /srv/docs
    read only = no
"""


def dress(host: LabHost, admin_password: str, user_password: str, tsig_key: str) -> None:
    """Write what every host has: name, resolver, Kerberos, name services, and the lab's secrets for root alone."""
    own = f"{host.address} {host.fqdn} {host.name}\n" if host.place.role == "controller" else ""
    host.write("/etc/hostname", f"{host.name}\n")
    host.write("/etc/hosts", f"127.0.0.1 localhost\n{own}")
    nameserver = PLACES["dc1"].address if host.place.role != "nameserver" else "127.0.0.1"
    host.write("/etc/resolv.conf", f"search {DOMAIN}\nnameserver {nameserver}\noptions timeout:2 attempts:2\n")
    host.write("/etc/krb5.conf", KRB5)
    host.write("/etc/nsswitch.conf", NSSWITCH)
    if host.place.role in {"plain", "nameserver"}:
        host.write("/etc/samba/smb.conf", PLAIN.format(workgroup=WORKGROUP, realm=REALM))
    host.path(SECRETS).mkdir(mode=0o700, exist_ok=True)
    host.write(ADMIN_PASSWORD_FILE, admin_password, 0o600)
    auth = f"username = Administrator\npassword = {admin_password}\ndomain = {WORKGROUP}\n"
    host.write(ADMIN_AUTH_FILE, auth, 0o600)
    host.write(USER_PASSWORD_FILE, user_password, 0o600)
    host.write(TSIG_KEY_FILE, tsig_key, 0o600)


def member_conf(host: LabHost) -> str:
    """The smb.conf of a member of the domain."""
    return MEMBER.format(name=host.name.upper(), workgroup=WORKGROUP, realm=REALM, dc1=PLACES["dc1"].fqdn)
