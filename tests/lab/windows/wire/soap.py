"""Envelopes: what a request says, and answers and faults as text. Namespaces and headers as [MS-WSMV] 2.2 has them."""

from __future__ import annotations

import re
import uuid
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from xml.sax.saxutils import escape, quoteattr

from tests.lab.windows.wire.codes import MALFORMED, Fault, Kind

S = "http://www.w3.org/2003/05/soap-envelope"
A = "http://schemas.xmlsoap.org/ws/2004/08/addressing"
W = "http://schemas.dmtf.org/wbem/wsman/1/wsman.xsd"
P = "http://schemas.microsoft.com/wbem/wsman/1/wsman.xsd"
X = "http://schemas.xmlsoap.org/ws/2004/09/transfer"
RSP = "http://schemas.microsoft.com/wbem/wsman/1/windows/shell"
CFG = "http://schemas.microsoft.com/wbem/wsman/1/config"
WSMID = "http://schemas.dmtf.org/wbem/wsman/identity/1/wsmanidentity.xsd"
FAULT = "http://schemas.microsoft.com/wbem/wsman/1/wsmanfault"
ANONYMOUS = A + "/role/anonymous"
FAULT_ACTION = "http://schemas.dmtf.org/wbem/wsman/1/wsman/fault"
SPACES = {"s": S, "a": A, "w": W, "p": P, "x": X, "rsp": RSP, "cfg": CFG, "wsmid": WSMID}
DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+(?:\.\d+)?)S)?)?$")


@dataclass(frozen=True)
class Option:
    """One option of a request; ``must`` says that it may not be passed over."""

    name: str
    value: str
    must: bool


@dataclass(frozen=True)
class Request:
    """What an envelope asks for."""

    action: str
    resource: str
    message_id: str
    body: ET.Element
    selectors: dict[str, str] = field(default_factory=dict)
    options: tuple[Option, ...] = ()
    timeout_s: float | None = None
    envelope_bytes: int | None = None

    def option(self, name: str) -> str:
        """The value of an option, empty when it is not given."""
        return next((one.value for one in self.options if one.name.upper() == name.upper()), "")

    def part(self, tag: str) -> ET.Element:
        """The element of the body. Raises Fault when it is not there."""
        if (found := self.body.find(tag, SPACES)) is None:
            raise Fault(MALFORMED, f"The body has no {tag}. ")
        return found


def seconds(text: str) -> float:
    """An xs:duration in seconds. Raises Fault."""
    match = DURATION.match(text.strip())
    if match is None or text.strip() in {"P", "PT"}:
        raise Fault(MALFORMED, f"{text} is no duration. ")
    days, hours, minutes, rest = (float(one or 0) for one in match.groups())
    return days * 86400 + hours * 3600 + minutes * 60 + rest


def parse(text: bytes) -> ET.Element:
    """The envelope. Raises Fault for what is no SOAP 1.2 envelope."""
    if b"<!DOCTYPE" in text[:1024]:
        raise Fault(MALFORMED)
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        raise Fault(MALFORMED) from None
    if root.tag != f"{{{S}}}Envelope" or root.find("s:Body", SPACES) is None:
        raise Fault(MALFORMED)
    return root


def _text(header: ET.Element, tag: str) -> str:
    found = header.find(tag, SPACES)
    return (found.text or "").strip() if found is not None else ""


def message_id(root: ET.Element) -> str:
    """The id by which an answer refers to the request, empty when it has none."""
    found = root.find("s:Header/a:MessageID", SPACES)
    return (found.text or "").strip() if found is not None else ""


def request(root: ET.Element) -> Request:
    """What the envelope asks for. Raises Fault when a header that is needed is missing."""
    header, body = root.find("s:Header", SPACES), root.find("s:Body", SPACES)
    if header is None or body is None:
        raise Fault(MALFORMED)
    action, resource = _text(header, "a:Action"), _text(header, "w:ResourceURI")
    if not action or not resource or not _text(header, "a:MessageID") or not _text(header, "a:To"):
        raise Fault(MALFORMED, "Action, ResourceURI, MessageID or To is missing. ")
    timeout, size = _text(header, "w:OperationTimeout"), _text(header, "w:MaxEnvelopeSize")
    return Request(
        action=action,
        resource=resource,
        message_id=_text(header, "a:MessageID"),
        body=body,
        selectors={
            one.get("Name", ""): (one.text or "").strip() for one in header.findall("w:SelectorSet/w:Selector", SPACES)
        },
        options=tuple(
            Option(
                one.get("Name", ""),
                (one.text or "").strip(),
                one.get("MustComply", "").lower() in {"true", "1"},
            )
            for one in header.findall("w:OptionSet/w:Option", SPACES)
        ),
        timeout_s=seconds(timeout) if timeout else None,
        envelope_bytes=int(size) if size.isdigit() else None,
    )


def _envelope(action: str, relates_to: str, body: str) -> bytes:
    spaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in SPACES.items() if prefix != "wsmid")
    relates = f"<a:RelatesTo>{escape(relates_to)}</a:RelatesTo>" if relates_to else ""
    return (
        f'<s:Envelope xml:lang="en-US" {spaces}><s:Header><a:Action>{escape(action)}</a:Action>'
        f"<a:MessageID>uuid:{str(uuid.uuid4()).upper()}</a:MessageID><a:To>{ANONYMOUS}</a:To>{relates}</s:Header>"
        f"<s:Body>{body}</s:Body></s:Envelope>"
    ).encode()


def answer(asked: Request, body: str, action: str = "") -> bytes:
    """The envelope that answers a request; its action is that of the request with Response added, unless another is given."""
    return _envelope(action or asked.action + "Response", asked.message_id, body)


def fault(error: Fault, relates_to: str, machine: str) -> bytes:
    """The envelope of a fault."""
    kind: Kind = error.kind
    detail = f"<w:FaultDetail>{kind.detail}</w:FaultDetail>" if kind.detail else ""
    body = (
        f"<s:Fault><s:Code><s:Value>s:{'Sender' if kind.sender else 'Receiver'}</s:Value><s:Subcode><s:Value>{kind.subcode}"
        f'</s:Value></s:Subcode></s:Code><s:Reason><s:Text xml:lang="en-US">{escape(kind.reason)}</s:Text></s:Reason>'
        f'<s:Detail>{detail}<f:WSManFault xmlns:f="{FAULT}" Code="{kind.number}" Machine={quoteattr(machine)}>'
        f"<f:Message>{escape(error.message)}</f:Message></f:WSManFault></s:Detail></s:Fault>"
    )
    return _envelope(FAULT_ACTION, relates_to, body)


def identified(version: str) -> bytes:
    """The answer to Identify, DSP0226 11."""
    return (
        f'<s:Envelope xml:lang="" xmlns:s="{S}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="{WSMID}">'
        f"<wsmid:ProtocolVersion>{W}</wsmid:ProtocolVersion><wsmid:ProductVendor>Microsoft Corporation</wsmid:ProductVendor>"
        f"<wsmid:ProductVersion>{escape(version)}</wsmid:ProductVersion></wsmid:IdentifyResponse></s:Body></s:Envelope>"
    ).encode()


def is_identify(root: ET.Element) -> bool:
    """Whether the envelope asks who is there."""
    return root.find("s:Body/wsmid:Identify", SPACES) is not None
