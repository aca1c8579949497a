"""How functions and scripts bind, and what their Validate attributes allow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.lab.windows.powershell import tree as t
from tests.lab.windows.powershell.binding import Binder
from tests.lab.windows.powershell.convert import to_bool, to_text
from tests.lab.windows.powershell.frames import Frame
from tests.lab.windows.powershell.operators import compare
from tests.lab.windows.powershell.patterns import compile_pattern
from tests.lab.windows.powershell.signature import ParameterSet, Signature, SignatureParameter
from tests.lab.windows.powershell.type_names import resolve_type, type_not_found
from tests.lab.windows.powershell.values import (
    OutsideSubset,
)

if TYPE_CHECKING:
    from tests.lab.windows.powershell.evaluate import Interpreter as Base
else:
    Base = object

READY = {
    "parameter",
    "alias",
    "validateset",
    "validatepattern",
    "validaterange",
    "validatelength",
    "validatecount",
    "validatenotnull",
    "validatenotnullorempty",
    "validatescript",
    "allownull",
    "allowemptystring",
    "allowemptycollection",
    "switch",
}


HEAD = {
    "cmdletbinding",
    "outputtype",
    "alias",
    "diagnostics.codeanalysis.suppressmessageattribute",
    "diagnostics.codeanalysis.suppressmessage",
    "suppressmessage",
    "suppressmessageattribute",
}


class Signatures(Base):
    """How functions and scripts bind, and what their Validate attributes allow."""

    def signature_of(self, code: t.Code, name: str, frame: Frame) -> Signature:
        """How a piece of script binds."""
        binding = next((one for one in code.attributes if one.name.casefold() == "cmdletbinding"), None)
        for one in code.attributes:
            if one.name.casefold().removeprefix("system.") not in HEAD:
                raise OutsideSubset(f"the attribute [{one.name}] lies outside the subset")
        values = {key: self._flag(value, frame) for key, value in (binding.named.items() if binding else ())}
        positional = to_bool(values.get("positionalbinding", True))
        explicit = any(
            "position" in one.named for parameter in code.parameters for one in parameter.attribute("parameter")
        )
        parameters, sets, mandatory = [], {}, {}
        place = 0
        for parameter in code.parameters:
            made, own_sets, needed = self._parameter_of(parameter, frame)
            if made.position is None and positional and not explicit and not made.is_switch and not made.rest:
                made = replace(made, position=place)
                place += 1
            parameters.append(made)
            sets[made.name] = own_sets
            mandatory[made.name] = needed
        names = {one for own in sets.values() for one in own if one} or {""}
        default = to_text(values.get("defaultparametersetname", ""))
        if default and default not in names:
            names.add(default)
        listed = [
            ParameterSet(
                one or "__AllParameterSets",
                frozenset(
                    key
                    for key, own in sets.items()
                    if ("" in own or one in own) and (mandatory[key].get(one) or mandatory[key].get(""))
                ),
                tuple(key for key, own in sets.items() if "" in own or one in own),
                one == default or len(names) == 1,
            )
            for one in sorted(names, key=lambda found: found != default)
        ]
        return Signature(
            name,
            {one.name.casefold(): one for one in parameters},
            tuple(listed),
            to_bool(values.get("supportsshouldprocess", False)),
            advanced=code.advanced(),
            impact=to_text(values.get("confirmimpact", "Medium")),
        )

    def _flag(self, node: t.Node | None, frame: Frame) -> Any:
        return True if node is None else self.evaluate(node, frame)

    def _parameter_of(
        self, parameter: t.Parameter, frame: Frame
    ) -> tuple[SignatureParameter, set[str], dict[str, bool]]:
        name = resolve_type(parameter.type_name) if parameter.type_name else "System.Object"
        if name is None:
            raise type_not_found(parameter.type_name)
        for one in parameter.attributes:
            if one.name.casefold().removeprefix("system.management.automation.").removesuffix("attribute") not in READY:
                raise OutsideSubset(f"the attribute [{one.name}] lies outside the subset")
        made = SignatureParameter(
            parameter.name, name, attributes=tuple(parameter.attributes), default=parameter.default
        )
        aliases = tuple(
            to_text(self.evaluate(value, frame)) for one in parameter.attribute("alias") for value in one.positional
        )
        values = tuple(
            to_text(self.evaluate(value, frame))
            for one in parameter.attribute("validateset")
            for value in one.positional
        )
        sets: set[str] = set()
        needed: dict[str, bool] = {}
        for one in parameter.attribute("parameter"):
            fields = {key: self._flag(value, frame) for key, value in one.named.items()}
            group = to_text(fields.get("parametersetname", ""))
            group = "" if group == "__AllParameterSets" else group
            sets.add(group)
            needed[group] = to_bool(fields.get("mandatory", False))
            made = replace(
                made,
                position=fields.get("position", made.position),
                by_value=made.by_value or to_bool(fields.get("valuefrompipeline", False)),
                by_name=made.by_name or to_bool(fields.get("valuefrompipelinebypropertyname", False)),
                rest=made.rest or to_bool(fields.get("valuefromremainingarguments", False)),
            )
        return replace(made, aliases=aliases, values=values), sets or {""}, needed

    def check_value(self, binder: Binder, parameter: SignatureParameter, value: Any, frame: Frame) -> None:
        """The Validate attributes."""
        items = value if isinstance(value, list) else [value]
        for one in parameter.attributes:
            kind = one.name.casefold()
            wanted = [self.evaluate(node, frame) for node in one.positional] if kind != "validatescript" else []
            if kind == "validatenotnullorempty":
                if (
                    value is None
                    or (isinstance(value, str | list) and not value)
                    or any(item is None or item == "" for item in items)
                ):
                    what = "null" if value is None else "null or empty"
                    binder.refuse_value(
                        parameter,
                        f"The argument is {what}. Provide an argument that is not null or empty, and then try the command again.",
                    )
            elif kind == "validatenotnull" and (value is None or any(item is None for item in items)):
                binder.refuse_value(
                    parameter,
                    "The argument is null. Provide a valid value for the argument, and then try running the command again.",
                )
            elif kind == "validatepattern":
                for item in items:
                    if compile_pattern(to_text(wanted[0])).search(to_text(item)) is None:
                        binder.refuse_value(
                            parameter,
                            f'The argument "{to_text(item)}" does not match the "{to_text(wanted[0])}" pattern. Supply an argument that matches "{to_text(wanted[0])}" and try the command again.',
                        )
            elif kind == "validaterange":
                for item in items:
                    if compare(item, wanted[1]) > 0:
                        binder.refuse_value(
                            parameter,
                            f"The {to_text(item)} argument is greater than the maximum allowed range of {to_text(wanted[1])}. Supply an argument that is less than or equal to {to_text(wanted[1])} and then try the command again.",
                        )
                    if compare(item, wanted[0]) < 0:
                        binder.refuse_value(
                            parameter,
                            f"The {to_text(item)} argument is less than the minimum allowed range of {to_text(wanted[0])}. Supply an argument that is greater than or equal to {to_text(wanted[0])} and then try the command again.",
                        )
            elif kind == "validatelength":
                for item in items:
                    if not int(wanted[0]) <= len(to_text(item)) <= int(wanted[1]):
                        binder.refuse_value(
                            parameter,
                            f"The character length of the {len(to_text(item))} argument is not within {wanted[0]} and {wanted[1]}.",
                        )
            elif kind == "validatecount":
                if not int(wanted[0]) <= len(items) <= int(wanted[1]):
                    binder.refuse_value(
                        parameter,
                        f"The parameter requires at least {wanted[0]} value(s) and no more than {wanted[1]} value(s) - {len(items)} value(s) were provided.",
                    )
            elif kind == "validatescript":
                self._check_script(binder, parameter, one, items, frame)

    def _check_script(
        self, binder: Binder, parameter: SignatureParameter, attribute: t.Attribute, items: list[Any], frame: Frame
    ) -> None:
        block = self.evaluate(attribute.positional[0], frame)
        for item in items:
            made = list(self.run_block(block, [], item))
            if not to_bool(made[0] if len(made) == 1 else made or None):
                binder.refuse_value(
                    parameter,
                    f'The "{str(block).strip()}" validation script for the argument with value "{to_text(item)}" did not return a result of True. Determine why the validation script failed, and then try the command again.',
                )
