"""Turning arguments to the types of parameters, and refusing them as PowerShell does."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from tests.lab.windows.powershell.convert import cast, is_type, to_text, type_name
from tests.lab.windows.powershell.signature import Signature, SignatureParameter
from tests.lab.windows.powershell.values import EnumValue, ErrorRecord, OutsideSubset, PsObject, Terminating

BINDING = "System.Management.Automation.ParameterBindingException"


VALIDATION = "System.Management.Automation.ParameterBindingValidationException"


TRANSFORMATION = "System.Management.Automation.ParameterBindingArgumentTransformationException"


def same_kind(value: Any, kind: str) -> bool:
    """Whether an object is of a type known by name only: `CimInstance#MSFT_SmbShare` and the like are compared by their last part."""
    if not isinstance(value, PsObject):
        return is_type(value, kind)
    wanted = re.split(r"[./#]", kind)[-1].casefold()
    if wanted == "psobject":
        return True
    last = {re.split(r"[./#]", name)[-1].casefold() for name in value.type_names}
    plain = {re.split(r"[./]", name.split("#")[0])[-1].casefold() for name in value.type_names}
    return wanted in last or (wanted in plain and "#" not in kind)


class Conversion:
    """Turning arguments to the types of parameters, and refusing them as PowerShell does."""

    def __init__(self, signature: Signature, name: str) -> None:
        self.signature = signature
        self.name = name

    def fail(
        self,
        error_id: str,
        message: str,
        exception: str = BINDING,
        category: str = "InvalidArgument",
        target: Any = None,
    ) -> NoReturn:
        """A binding error of this command."""
        record = ErrorRecord(error_id, message, category, target, exception)
        record.activity = self.name
        record.qualified = f"{error_id},{self.signature.error_class or self.signature.name}"
        raise Terminating(record)

    def fits(self, parameter: SignatureParameter, value: Any) -> bool:
        """Whether a value is of a parameter's type already."""
        kind = parameter.type_name.removesuffix("[]") if isinstance(value, list) is False else parameter.type_name
        if parameter.enumeration:
            return isinstance(value, EnumValue) or (
                isinstance(value, str) and value.casefold() in {one.casefold() for one in parameter.values}
            )
        if kind == "System.Management.Automation.PSObject":
            return True
        if not parameter.known or isinstance(value, PsObject):
            return same_kind(value, kind)
        if isinstance(value, list) and kind.endswith("[]"):
            return all(is_type(item, kind[:-2]) for item in value)
        return is_type(value, kind)

    def convert(self, parameter: SignatureParameter, value: Any, token: str) -> Any:
        """A value as the parameter's type.

        Raises:
            Terminating: it cannot be converted or is not allowed.
        """
        mandatory = any(parameter.name in one.mandatory for one in self.signature.sets)
        if mandatory:
            self.refuse_empty(parameter, value)
        if parameter.enumeration:
            return self._enumeration(parameter, value)
        if not parameter.known:
            return (
                [value]
                if parameter.type_name.endswith("[]") and not isinstance(value, list) and value is not None
                else value
            )
        if parameter.type_name == "System.Boolean":
            return self._boolean(parameter, value)
        if token and isinstance(value, int | float) and parameter.type_name.startswith("System.String"):
            value = token
        try:
            made = self._cast(parameter, value)
        except Terminating as error:
            self._refuse_conversion(parameter, value, error)
        if parameter.values:
            for item in made if isinstance(made, list) else [made]:
                if to_text(item).casefold() not in {one.casefold() for one in parameter.values}:
                    self.refuse_value(
                        parameter,
                        f'The argument "{to_text(item)}" does not belong to the set "{",".join(parameter.values)}" specified by the ValidateSet '
                        "attribute. Supply an argument that is in the set and then try the command again.",
                    )
        return made

    def _cast(self, parameter: SignatureParameter, value: Any) -> Any:
        kind = parameter.type_name
        if kind == "System.String" and isinstance(value, list):
            raise Terminating(ErrorRecord("CannotConvertArgument", "Cannot convert value to type System.String."))
        if kind == "System.Management.Automation.ScriptBlock" and not is_type(value, kind) and value is not None:
            raise Terminating(
                ErrorRecord(
                    "CannotConvertArgument",
                    f'Cannot convert the "{to_text(value)}" value of type "{type_name(value)}" to type "{kind}".',
                )
            )
        return cast(value, kind)

    def _boolean(self, parameter: SignatureParameter, value: Any) -> Any:
        if isinstance(value, bool | int | float):
            return bool(value)
        message = (
            f'Cannot convert value "{type_name(value) if value is not None else ""}" to type "System.Boolean". Boolean parameters accept only Boolean '
            "values and numbers, such as $True, $False, 1 or 0 instead."
        )
        self._refuse_conversion(parameter, value, Terminating(ErrorRecord("", message)))
        return None

    def _refuse_conversion(self, parameter: SignatureParameter, value: Any, error: Terminating) -> NoReturn:
        why = error.record.message
        if self.signature.compiled:
            self.fail(
                "CannotConvertArgumentNoMessage" if not isinstance(value, list) else "CannotConvertArgument",
                f"Cannot bind parameter '{parameter.name}'. {why}",
            )
        message = f"Cannot process argument transformation on parameter '{parameter.name}'. {why}"
        self.fail("ParameterArgumentTransformationError", message, TRANSFORMATION, "InvalidData")

    def _enumeration(self, parameter: SignatureParameter, value: Any) -> Any:
        def one(item: Any) -> Any:
            if isinstance(item, EnumValue):
                return item.name
            text = to_text(item)
            fitting = [name for name in parameter.values if name.casefold() == text.casefold()]
            fitting = fitting or [
                name for name in parameter.values if text and name.casefold().startswith(text.casefold())
            ]
            if len(fitting) == 1:
                return fitting[0]
            if isinstance(item, int) and not isinstance(item, bool):
                raise OutsideSubset(
                    f"-{parameter.name} {item}: enumerations by number lie outside the subset; write the name"
                )
            kind = parameter.type_name.removesuffix("[]")
            raise Terminating(
                ErrorRecord(
                    "",
                    f'Cannot convert value "{text}" to type "{kind}". Error: "Unable to match the identifier name {text} to a valid enumerator name. '
                    f'Specify one of the following enumerator names and try again:\n{", ".join(parameter.values)}"',
                )
            )

        try:
            if isinstance(value, list):
                return [one(item) for item in value]
            if isinstance(value, str) and "," in value:
                return ", ".join(one(part.strip()) for part in value.split(","))
            made = one(value)
        except Terminating as error:
            self._refuse_conversion(parameter, value, error)
        return [made] if parameter.type_name.endswith("[]") else made

    def refuse_empty(self, parameter: SignatureParameter, value: Any) -> None:
        """A mandatory parameter takes no null, no empty text and no empty list, unless it allows them."""
        allowed = {one.name.casefold() for one in parameter.attributes}
        if value is None and "allownull" not in allowed:
            self._refuse_bound(parameter, "ParameterArgumentValidationErrorNullNotAllowed", "because it is null.")
        texts = parameter.type_name in ("System.String", "System.String[]")
        if isinstance(value, list) and not value and "allowemptycollection" not in allowed:
            kind = "array" if parameter.type_name.endswith("[]") else "collection"
            self._refuse_bound(
                parameter,
                f"ParameterArgumentValidationErrorEmpty{kind.title()}NotAllowed",
                f"because it is an empty {kind}.",
            )
        for item in value if isinstance(value, list) else [value]:
            if texts and isinstance(item, str) and item == "" and "allowemptystring" not in allowed:
                self._refuse_bound(
                    parameter, "ParameterArgumentValidationErrorEmptyStringNotAllowed", "because it is an empty string."
                )

    def _refuse_bound(self, parameter: SignatureParameter, error_id: str, why: str) -> NoReturn:
        self.fail(error_id, f"Cannot bind argument to parameter '{parameter.name}' {why}", VALIDATION, "InvalidData")

    def refuse_value(self, parameter: SignatureParameter, why: str) -> NoReturn:
        """An argument does not pass its validation."""
        self.fail(
            "ParameterArgumentValidationError",
            f"Cannot validate argument on parameter '{parameter.name}'. {why}",
            VALIDATION,
            "InvalidData",
        )
