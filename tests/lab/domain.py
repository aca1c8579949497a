"""The lab: a real domain with its controllers, a BIND, members and clients, and everything that can be done to them.

Use ``Lab.up()`` (in the main thread: the lab ends with the thread that made it) and ``close()``; tests have the fixture ``lab``.
"""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import bind, cache, controllers, files, members, places, resetting, windowshosts
from tests.lab.hosts import LabHost
from tests.lab.keeper import Keeper
from tests.lab.links import Link, Network

SERVICES = {"controller": controllers, "nameserver": bind, "member": members, "windows": windowshosts}
PREPARED = ("dc1", "ns2", "alpha", "beta")  # whose services are set up before the disks are kept


class Lab:
    """One lab. Hosts that are not there from the start (dc2, gamma, winalpha, winbeta) join the domain when they are asked for."""

    realm = places.REALM
    domain = places.DOMAIN
    workgroup = places.WORKGROUP
    branch = places.BRANCH
    reverse_zones = places.REVERSE_ZONES
    # the same paths on every host, for root only
    admin_password_file = places.ADMIN_PASSWORD_FILE
    admin_auth_file = places.ADMIN_AUTH_FILE
    user_password_file = places.USER_PASSWORD_FILE
    tsig_key_file = places.TSIG_KEY_FILE
    tsig_key = places.TSIG_KEY
    ca_file = places.CA_FILE

    def __init__(self) -> None:
        self.keeper = Keeper()
        self.network = Network(self.keeper)
        self._hosts = {name: LabHost(self.keeper, self.network, place) for name, place in places.PLACES.items()}
        self._late = {name for name, place in places.PLACES.items() if not place.at_once}

    @classmethod
    def up(cls) -> Lab:
        """A lab that answers. The first one on a machine makes the domain and keeps its disks, later ones start from these."""
        lab = cls()
        try:
            if not cache.lay_out(lab.keeper):
                lab = cls._made_anew(lab)
            lab._start()
        except BaseException:
            lab.close()
            raise
        return lab

    @classmethod
    def _made_anew(cls, lab: Lab) -> Lab:
        with cache.building() as store:
            if store.lay_out(lab.keeper):  # another lab made it while we waited
                return lab
            lab.prepare()
            store.keep(lab.keeper)
        return lab

    def prepare(self) -> None:
        """Make the domain from nothing, and leave its disks as after an orderly shutdown."""
        self._dress()
        hosts = self._hosts
        controllers.certify(hosts.values())
        bind.configure(hosts["ns2"])
        bind.start(hosts["ns2"])
        controllers.provision(hosts["dc1"])
        controllers.start(hosts["dc1"])
        controllers.name_services(hosts["dc1"])
        controllers.add_zones(hosts["dc1"])
        with ThreadPoolExecutor() as pool:
            list(pool.map(self._prepare_member, ("alpha", "beta")))
        members.make_share(hosts["alpha"])
        resetting.save(hosts)
        for name in reversed(PREPARED):
            SERVICES[hosts[name].place.role].stop(hosts[name])
        for host in hosts.values():
            host.power_cut()
            host.remove_disk()

    def _dress(self) -> None:
        admin, user = (f"{secrets.token_urlsafe(12)}.aA1" for _ in range(2))
        key = f'key "{self.tsig_key}" {{\n\talgorithm hmac-sha256;\n\tsecret "{bind.new_secret()}";\n}};\n'
        for host in self._hosts.values():
            host.insert_disk()
            host.forget_the_machine()
            host.power_on()
            files.dress(host, admin, user, key)

    def _prepare_member(self, name: str) -> None:
        members.join(self._hosts[name])
        members.start(self._hosts[name])

    def _start(self) -> None:
        for host in self._hosts.values():
            host.insert_disk()
            if host.place.role in SERVICES:
                host.services = SERVICES[host.place.role].start
        for name in ("client", "witness"):
            self._hosts[name].boot()
        with ThreadPoolExecutor() as pool:
            for group in (("dc1", "ns2"), ("alpha", "beta")):
                list(pool.map(lambda name: self._hosts[name].boot(), group))

    # -- what tests ask for -----------------------------------------------------------------------------------------
    def host(self, name: str) -> LabHost:
        """A host by its name. dc2 and gamma join the domain when they are first asked for, which takes some seconds."""
        host = self._hosts[name]
        if name in self._late:
            self._late.discard(name)
            host.power_on()
            SERVICES[host.place.role].join(host)
            host.services(host)
            if host.place.role == "controller":
                controllers.announce(host)
        return host

    def windows(self, name: str) -> windowshosts.Windows:
        """A simulated Windows server (winalpha, winbeta) with what only these can do; it joins when it is first asked for."""
        return windowshosts.Windows(self.host(name))

    def reset_windows(self) -> None:
        """Put back the simulated Windows servers that have joined: disks, accounts and names; about 2 s for each."""
        there = [
            self.windows(name)
            for name, place in places.PLACES.items()
            if place.role == "windows" and name not in self._late
        ]
        windowshosts.put_back(self._hosts["dc1"], there)

    def link(self, name: str) -> Link:
        """The wire of a host: cut, mend, delay, loss."""
        return Link(self.network, places.PLACES[name])

    @property
    def admin_password(self) -> str:
        """The password of Administrator."""
        return self._hosts["dc1"].path(self.admin_password_file).read_text()

    @property
    def user_password(self) -> str:
        """The password of the users writer, reader, operator (of dtadmin) and watcher (of dtmon)."""
        return self._hosts["dc1"].path(self.user_password_file).read_text()

    def ticket(self, host: str, user: str) -> dict[str, str]:
        """Log a user in on a host; the environment (a ticket cache of its own) for commands run there as this user of the domain."""
        cache_file = f"FILE:/run/ticket.{secrets.token_hex(6)}"
        password = self.admin_password if user == "Administrator" else self.user_password
        self.host(host).run(["kinit", user], input=password + "\n", env={"KRB5CCNAME": cache_file})
        return {"KRB5CCNAME": cache_file}

    def keytab(self, principal: str) -> Path:
        """A keytab of an account, 0600 at this path: of a computer (ALPHA$) on that computer, of a user on every host that has power."""
        name = principal.partition("@")[0]
        if name.endswith("$"):
            return Path("/etc/krb5.keytab")
        path = places.SECRETS / f"{name}.keytab"
        dc1 = self._hosts["dc1"]
        dc1.path(path).unlink(missing_ok=True)
        dc1.run(["samba-tool", "domain", "exportkeytab", path, f"--principal={name}"])
        content = dc1.path(path).read_bytes()
        for host in self._hosts.values():
            if host.pid:
                host.path(path).touch(0o600)
                host.path(path).write_bytes(content)
        return path

    def reset(self) -> None:
        """Put back, between tests: wires, power, addresses, /etc, shares, services, accounts and zones, here and at BIND.

        Contents of shares stay, as do hosts that joined late.
        """
        for name, host in self._hosts.items():
            self.link(name).mend()
            self.network.remove_nics(host.place)
            if name not in self._late:
                host.boot()
        resetting.restore(self._hosts)

    def close(self) -> None:
        """Take the lab down; nothing is left of it."""
        self.network.close()
        self.keeper.close()
        for host in self._hosts.values():
            host.forget()
