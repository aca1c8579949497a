"""Settings of what a target takes over besides data: items, addresses, shares, and the domain whose accounts are changed."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.model.fields import AbsolutePath, DomainName, IpAddress, Principal, ShortName, Tab

ShareName = Annotated[str, Field(min_length=1, max_length=80, pattern=r"^[^\x00-\x1f/\\\\\[\]:|<>+=;,?*\"]+$")]


class ItemSettings(Tab):
    """What is failed over (guide: items to failover). None leaves it to the application: a Samba file server moves all that it can.

    ``name``: the target answers to the source's name. ``shares``: its shares with their permissions. ``spns``: the service names
    of its account in the directory. ``addresses``: its addresses, with an identity failover only.
    """

    addresses: bool | None = None
    name: bool | None = None
    shares: bool | None = None
    spns: bool | None = None


class TakenAddress(Tab):
    """An address of the source and the target's interface that takes it over; ``prefix`` None is the source's own."""

    source: IpAddress
    interface: ShortName
    prefix: Annotated[int, Field(ge=0, le=128)] | None = None


class IdentitySettings(Tab):
    """Identity failover. ``conflict_check``: an address that somebody still answers for is not taken."""

    addresses: Annotated[tuple[TakenAddress, ...], Field(max_length=64)] = ()
    conflict_check: bool = True

    @model_validator(mode="after")
    def _distinct(self) -> Self:
        seen = [one.source for one in self.addresses]
        again = sorted({one for one in seen if seen.count(one) > 1})
        if again:
            msg = f"address {again[0]} is taken over more than once"
            raise ValueError(msg)
        return self


class DirectorySettings(Tab):
    """The domain of both servers, and how its accounts are changed. Keys and passwords stay in files of mode 0600.

    ``principal`` with ``keytab_file`` or ``password_file`` is for this machine; ``target_principal`` with ``target_keytab_file``
    for the target, whose script acts when nobody else is alive. Without ``target_principal`` it is the target's own account.
    """

    domain: DomainName
    controllers: Annotated[tuple[Annotated[str, Field(max_length=253)], ...], Field(max_length=64)] = ()
    principal: Principal | None = None
    keytab_file: AbsolutePath | None = None
    password_file: AbsolutePath | None = None
    ca_file: AbsolutePath | None = None
    target_principal: Principal | None = None
    target_keytab_file: AbsolutePath = "/etc/krb5.keytab"


class SambaSettings(Tab):
    """The source shares files by Samba, configured by ``conf`` on both sides."""

    conf: AbsolutePath = "/etc/samba/smb.conf"


class WindowsSettings(Tab):
    """The source is a Windows file server, and so is the target.

    ``names``: how the target answers to the source's name: ``optional`` by the Server service's OptionalNames, ``alternate`` by an
    alternate computer name, which the directory knows. ``loopback``: the target may use the name itself, too.
    """

    names: Literal["optional", "alternate"] = "optional"
    loopback: bool = True


class ShareSelection(Tab):
    """Which shares are protected: all but the administrative ones, or those of ``include``; never those of ``exclude``.

    ``follow_interval_s``: the target asks its source that often which shares it has, and makes those that wait anew; none: only
    ``dtam enable`` does.
    """

    include: Annotated[tuple[ShareName, ...], Field(max_length=1000)] = ()
    exclude: Annotated[tuple[ShareName, ...], Field(max_length=1000)] = ()
    follow_interval_s: Annotated[int, Field(ge=1, le=31_536_000)] | None = 3600

    def chosen(self, name: str) -> bool:
        """Whether a share of this name is protected."""
        wanted = {one.lower() for one in self.include}
        return name.lower() not in {one.lower() for one in self.exclude} and (not wanted or name.lower() in wanted)
