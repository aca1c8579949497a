"""Get-CimInstance, Invoke-CimMethod, Remove-CimInstance over the classes of root/cimv2 that servers are asked about."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.lab.windows.cmdlets.base import as_list, cim, over_machine, record, texts
from tests.lab.windows.cmdlets.cim_classes import CLASSES, METHODS
from tests.lab.windows.machine.refusals import Refused
from tests.lab.windows.powershell.commands import Call
from tests.lab.windows.powershell.values import PsObject, Table, UInt32

EXCEPTION = "Microsoft.Management.Infrastructure.CimException"
QUERY = re.compile(
    r"\s*select\s+(?P<what>.+?)\s+from\s+(?P<of>\w+)(?:\s+where\s+(?P<where>.+))?\s*$", re.IGNORECASE | re.DOTALL
)
TERM = re.compile(
    r"\s*(?P<name>\w+)\s*(?P<op>=|<>|!=|>=|<=|>|<|like)\s*(?P<value>'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\"|[\w.-]+)\s*",
    re.IGNORECASE,
)


def _invalid_class(name: str) -> Refused:
    return Refused("Invalid class ", "HRESULT 0x80041010", "MetadataError", EXCEPTION, f"root/cimv2:{name}", 0x80041010)


def _invalid_query(text: str) -> Refused:
    return Refused("Invalid query ", "HRESULT 0x80041017", "InvalidArgument", EXCEPTION, text, 0x80041017)


def condition(text: str) -> Callable[[PsObject], bool]:
    """A WQL condition of terms joined by AND or OR (AND binds tighter); anything else is an invalid query."""
    either = []
    for part in re.split(r"\s+or\s+", text, flags=re.IGNORECASE):
        both = []
        for term in re.split(r"\s+and\s+", part, flags=re.IGNORECASE):
            found = TERM.fullmatch(term.strip().strip("()"))
            if found is None:
                raise _invalid_query(text)
            both.append(_term(found["name"], found["op"].lower(), found["value"]))
        either.append(both)
    return lambda one: any(all(term(one) for term in both) for both in either)


def _term(name: str, op: str, raw: str) -> Callable[[PsObject], bool]:
    value = re.sub(r"\\(.)", r"\1", raw[1:-1]) if raw[0] in "'\"" else raw

    def holds(one: PsObject) -> bool:
        held = one.get(name)
        if op == "like":
            pattern = "".join({"%": ".*", "_": "."}.get(char, re.escape(char)) for char in value)
            return re.fullmatch(pattern, str(held or ""), re.IGNORECASE) is not None
        same = str(held).lower() == value.lower() or (
            isinstance(held, bool) and {"true": True, "1": True}.get(value.lower(), False) == held
        )
        if op in {"=", "<>", "!="}:
            return same == (op == "=")
        left, right = float(held or 0), float(value)
        return {">": left > right, "<": left < right, ">=": left >= right, "<=": left <= right}[op]

    return holds


def instances(call: Call, class_name: str, where: str | None) -> list[PsObject]:
    """The instances of a class that fit; the class must be known."""
    known = {name.lower(): name for name in CLASSES}
    if class_name.lower() not in known:
        raise _invalid_class(class_name)
    fits = condition(where) if where else lambda _: True
    name = known[class_name.lower()]
    return [one for items in CLASSES[name](call) if fits(one := cim(name, items))]


def _asked(call: Call) -> tuple[str, str | None]:
    if call.has("Query"):
        found = QUERY.match(str(call.get("Query")))
        if found is None:
            raise _invalid_query(str(call.get("Query")))
        return found["of"], found["where"]
    return str(call.get("ClassName", call.get("Class"))), str(call.get("Filter")) if call.get("Filter") else None


@over_machine(
    "Get-CimInstance",
    "Get-WmiObject",
    error_class="Microsoft.Management.Infrastructure.CimCmdlets.GetCimInstanceCommand",
)
def get_cim_instance(call: Call) -> Iterator[Any]:
    """Instances of a class."""
    namespace = str(call.get("Namespace", "root/cimv2")).lower().replace("\\", "/")
    if namespace != "root/cimv2":
        raise Refused("Invalid namespace ", "HRESULT 0x8004100e", "MetadataError", EXCEPTION, namespace, 0x8004100E)
    if call.has("InputObject"):
        yield from as_list(call.get("InputObject"))
        return
    class_name, where = _asked(call)
    if class_name.lower() == "win32_shadowcopy" and not call.session.elevated:
        raise Refused("Initialization failure", "HRESULT 0x80041014", "NotSpecified", EXCEPTION, class_name, 5)
    chosen = texts(call.get("Property"))
    for one in instances(call, class_name, where):
        if chosen:
            for name in list(one.properties):
                if name.lower() not in {*(p.lower() for p in chosen), "pscomputername"}:
                    one.properties[name] = None
        yield one


@over_machine("Invoke-CimMethod", error_class="Microsoft.Management.Infrastructure.CimCmdlets.InvokeCimMethodCommand")
def invoke_cim_method(call: Call) -> Iterator[Any]:
    """Call a method of a class or of an instance."""
    target = call.get("InputObject")
    if isinstance(target, PsObject):
        class_name, held = target.type_names[0].rpartition("/")[2], [target]
    elif call.has("Query"):
        class_name, where = _asked(call)
        held = instances(call, class_name, where)
    else:
        class_name, held = str(call.get("ClassName")), [None]  # type: ignore[list-item]
    if class_name.lower() not in {name.lower() for name in CLASSES}:
        raise _invalid_class(class_name)
    method = str(call.get("MethodName"))
    deed = METHODS.get((class_name.lower(), method.lower()))
    if deed is None:
        raise Refused(
            "Invalid method Parameter(s) ", "HRESULT 0x8004102f", "InvalidType", EXCEPTION, class_name, 0x8004102F
        )
    arguments = call.get("Arguments") or Table()
    for one in held:
        if not call.should_process(class_name, f"Invoke-CimMethod {method}"):
            continue
        if not call.session.elevated:
            raise Refused("Access denied ", "HRESULT 0x80041003", "PermissionDenied", EXCEPTION, class_name, 5)
        result = deed(call, one, arguments)
        yield cim(f"{class_name}_{method}", {name: UInt32(v) if type(v) is int else v for name, v in result.items()})


@over_machine(
    "Remove-CimInstance", error_class="Microsoft.Management.Infrastructure.CimCmdlets.RemoveCimInstanceCommand"
)
def remove_cim_instance(call: Call) -> None:
    """Remove instances: shadow copies only, here."""
    held = as_list(call.get("InputObject"))
    if call.has("Query"):
        held = instances(call, *_asked(call))
    for one in held:
        if one.type_names[0].rpartition("/")[2] != "Win32_ShadowCopy":
            raise Refused(
                "Provider is not capable of the attempted operation ", "HRESULT 0x80041024", "NotImplemented", EXCEPTION
            )
        if call.should_process(str(one.get("ID")), "Remove-CimInstance") and not call.machine.shadows.delete(
            str(one.get("ID"))
        ):
            call.error(record(Refused("Not found ", "HRESULT 0x80041002", "ObjectNotFound", EXCEPTION, one)))
