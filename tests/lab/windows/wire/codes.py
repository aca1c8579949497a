"""Faults of WS-Management: subcodes as DSP0226 annex B and [MS-WSMV] 3.1.4 have them, numbers as wsmerror.h publishes them."""

from __future__ import annotations

from dataclasses import dataclass

DETAIL = "http://schemas.dmtf.org/wbem/wsman/1/wsman/faultDetail/"


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of fault: number, subcode (with the prefix of its namespace), whose fault it is, and what is said of it."""

    number: int
    subcode: str
    reason: str
    sender: bool = True
    detail: str = ""


class Fault(Exception):
    """An operation is refused; travels as a SOAP fault with HTTP status 500."""

    def __init__(self, kind: Kind, message: str = "") -> None:
        super().__init__(message or kind.reason)
        self.kind = kind
        self.message = message or kind.reason


ACCESS_DENIED = Kind(5, "w:AccessDenied", "Access is denied. ")
TIMED_OUT = Kind(
    2150858793,
    "w:TimedOut",
    "The WS-Management service cannot complete the operation within the time specified in OperationTimeout.  ",
    sender=False,
)
INVALID_SELECTORS = Kind(
    2150858843,
    "w:InvalidSelectors",
    "The WS-Management service cannot process the request because the request contained invalid selectors for the resource. ",
    detail=DETAIL + "UnexpectedSelectors",
)
MISSING_SELECTORS = Kind(
    2150858842,
    "w:InvalidSelectors",
    "The WS-Management service cannot process the request because the request did not contain all required selectors. ",
    detail=DETAIL + "InsufficientSelectors",
)
# ERROR_WSMAN_QUOTA_MAX_SHELLS and its neighbours; the subcode is that of [MS-WSMV] 3.1.4.5.2.1.
TOO_MANY_SHELLS = Kind(
    2150859173,
    "w:QuotaLimit",
    "The WS-Management service cannot process the request. This user is allowed a maximum number of concurrent shells, which has "
    "been exceeded. Close existing shells or raise the quota for this user. ",
)
TOO_MANY_OPERATIONS = Kind(
    2150859174,
    "w:QuotaLimit",
    "The WS-Management service cannot process the request. The maximum number of concurrent operations for this user has been "
    "exceeded. Close existing operations for this user, or raise the quota for this user. ",
)
TOO_MANY_USERS = Kind(
    2150859179,
    "w:QuotaLimit",
    "The WS-Management service cannot process the request. The maximum number of users executing shell operations has been exceeded. ",
)
TOO_MANY_COMMANDS = Kind(  # ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ; that this quota answers with it is not confirmed
    2150859241,
    "w:QuotaLimit",
    "The WS-Management service cannot process the request. The maximum number of commands of this shell has been exceeded. ",
)
# ERROR_WSMAN_ENCODING_LIMIT; that a request above MaxEnvelopeSizekb is answered so, and not by dropping it, is not confirmed.
ENVELOPE_TOO_LARGE = Kind(
    2150858805,
    "w:EncodingLimit",
    "The WS-Management service cannot process the request because the encoded request is larger than MaxEnvelopeSizekb allows. ",
    detail=DETAIL + "MaxEnvelopeSizeExceeded",
)
ENVELOPE_TOO_SMALL = Kind(  # number not confirmed; the fault itself stands in [MS-WSMV] 3.1.4.1.7
    2150858805,
    "w:EncodingLimit",
    "The WS-Management service cannot process the request because the MaxEnvelopeSize header is below 8192 octets. ",
    detail=DETAIL + "MinimumEnvelopeLimit",
)
UNKNOWN_RESOURCE = Kind(
    2150858752,
    "a:DestinationUnreachable",
    "The WS-Management service cannot process the request. The service cannot find the resource identified by the resource URI and "
    "selectors. ",
    detail=DETAIL + "InvalidResourceURI",
)
ACTION_NOT_SUPPORTED = Kind(2150858771, "a:ActionNotSupported", "The action is not supported by the service. ")
MALFORMED = Kind(  # ERROR_WSMAN_SCHEMA_VALIDATION_ERROR
    2150858817,
    "w:SchemaValidationError",
    "The SOAP XML in the message does not match the corresponding XML schema definition. Change the XML and retry. ",
)
UNKNOWN_OPTION = Kind(
    2150858834, "w:InvalidOptions", "The WS-Management service cannot process the request: an option is not known. "
)
CODE_PAGE = Kind(
    2150859072,
    "w:InvalidOptions",
    "The Windows Remote Shell cannot process the request. The code page that was asked for is not available on the server. ",
)
IDLE_TIMEOUT_BOUNDS = Kind(
    2150859250, "w:InvalidParameter", "The idle timeout that was asked for is outside of what the server allows. "
)
INPUT_STREAM = Kind(  # subcode not confirmed
    2150859147,
    "w:InvalidParameter",
    "The Windows Remote Shell cannot process the request: there is no such input stream. ",
)
DESIRED_STREAMS = Kind(  # subcode not confirmed
    2150859149,
    "w:InvalidParameter",
    "The Windows Remote Shell cannot process the request: there is no such output stream. ",
)
RECEIVE_IN_PROGRESS = Kind(  # subcode not confirmed
    2150859047, "w:InternalError", "Another Receive of the same streams is in progress. ", sender=False
)
# ERROR_OPERATION_ABORTED: the command or its shell is gone while somebody waits for it, or it was heard to its end.
ABORTED = Kind(
    995,
    "w:InternalError",
    "The I/O operation has been aborted because of either a thread exit or an application request. ",
    sender=False,
)
OTHER_USER = Kind(  # ERROR_WSMAN_DIFFERENT_AUTHZ_TOKEN
    2150859177,
    "w:AccessDenied",
    "The WS-Management service cannot process the request because the request is for a shell of another user. ",
)
SHELL_NAME_TAKEN = Kind(  # ERROR_WINRS_SHELL_CLIENTID_RESOURCE_CONFLICT
    2150859223, "w:AlreadyExists", "The Windows Remote Shell cannot process the request: a shell of this id exists. "
)
COMMAND_NAME_TAKEN = Kind(  # ERROR_WINRS_SHELLCOMMAND_CLIENTID_RESOURCE_CONFLICT
    2150859222, "w:AlreadyExists", "The Windows Remote Shell cannot process the request: a command of this id exists. "
)
SHELLS_NOT_ALLOWED = Kind(  # ERROR_WSMAN_REMOTESHELLS_NOT_ALLOWED
    2150859180,
    "w:AccessDenied",
    "The WS-Management service cannot process the request: remote shells are not allowed here. ",
)
UNAVAILABLE = Kind(  # ERROR_WSMAN_ENDPOINT_UNAVAILABLE
    2150858772, "a:EndpointUnavailable", "The specified endpoint is currently unavailable. ", sender=False
)
