"""What can go wrong with an identity, each in one line with its own exit code (115 to 124)."""

from __future__ import annotations

from orchestrator.errors import DtamError


class SpnInvalid(DtamError):
    template = "{spn!r} cannot be used as a service principal name: {reason}"
    exit_code = 115
    hint_template = "write it as class/host, class/host:port or class/host/name, such as cifs/files.example.com"


class SpnCollision(DtamError):
    template = "{spn} cannot be given to {target}: {owner} holds {held}"
    exit_code = 116
    hint_template = "take {held} from {owner}, or leave {spn} out of what is taken over, then run it again"


class TakeoverIncomplete(DtamError):
    template = "{reason}"
    exit_code = 117
    hint_template = "{advice}"


class AddressInUse(DtamError):
    template = "the address {address} is not taken over: {by} still answers for it on {interface}"
    exit_code = 118
    hint_template = "shut that server down, or take it off the network; two owners of an address serve nobody"


class AcrossSubnets(DtamError):
    template = "the address {address} is not taken over: {interface} is in {networks}, another subnet. {why}"
    exit_code = 119
    hint_template = "fail over by DNS instead, with the server's name; leave the address out of what is taken over"


class InterfaceUnusable(DtamError):
    template = "the network interface {interface} cannot take {address}: {reason}"
    exit_code = 120
    hint_template = "see which there are with: ip address show"


class ProgramFailed(DtamError):
    template = "{program} failed: {reason}"
    exit_code = 121
    hint_template = "run it by hand to see more: {command}"


class TakenUnusable(DtamError):
    template = "the undo file {path} cannot be used: {reason}"
    exit_code = 122
    hint_template = "{advice}"


class DocumentInvalid(DtamError):
    template = "the document of what is taken over cannot be used: {reason}"
    exit_code = 123
    hint_template = "its words stand in docs/explanation/identity.md; dtam renders it into the target's scripts"


class ShareRefused(DtamError):
    template = "the share {share} is not put here: {reason}"
    exit_code = 124
    hint_template = "{advice}"
