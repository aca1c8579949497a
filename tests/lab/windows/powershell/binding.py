"""Binding of arguments to parameters, as about_Parameters and about_Parameter_Sets have it, with PowerShell's own errors."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NoReturn

from tests.lab.windows.powershell import vocabulary
from tests.lab.windows.powershell.binding_values import BINDING, Conversion, same_kind
from tests.lab.windows.powershell.convert import to_text
from tests.lab.windows.powershell.signature import ParameterSet, Signature, SignatureParameter
from tests.lab.windows.powershell.values import ErrorRecord, PsObject, Table, Terminating

COMMON_SWITCHES = {"Verbose", "Debug"}
PREFERENCES = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore", "Suspend")


@dataclass
class Given:
    """One argument as written: `-name`, or a value, or both (`-name:value`)."""

    name: str | None
    value: Any = None
    token: str = ""
    has_value: bool = False


@dataclass
class Bound:
    """What came of it."""

    signature: Signature
    values: Table = field(default_factory=Table)
    common: dict[str, Any] = field(default_factory=dict)
    rest: list[Any] = field(default_factory=list)
    candidates: list[ParameterSet] = field(default_factory=list)

    def set_name(self) -> str:
        """The name of the parameter set that was chosen."""
        chosen = next((one for one in self.candidates if one.default), self.candidates[0] if self.candidates else None)
        return "" if chosen is None else chosen.name


class Binder(Conversion):
    """Binds the arguments of one call."""

    def bind(self, given: list[Given], validate: Any = None) -> Bound:
        """Bind what was written; what the pipeline brings is bound by `bind_object`.

        Raises:
            Terminating: PowerShell's binding errors.
        """
        bound = Bound(self.signature, candidates=list(self.signature.sets))
        positional = self._named(given, bound)
        self._narrow(bound)
        self._positional(positional, bound)
        if validate is not None:
            for name, value in bound.values.items():
                validate(self, self.signature.parameters[name.casefold()], value)
        return bound

    def _named(self, given: list[Given], bound: Bound) -> list[Given]:
        left: list[Given] = []
        waiting = list(given)
        while waiting:
            one = waiting.pop(0)
            if one.name is None:
                left.append(one)
                continue
            found = self.find(one.name)
            if found is None:
                left.extend(self._unknown(one))
                continue
            name, parameter = found
            is_switch = (
                parameter.is_switch
                if parameter is not None
                else name in COMMON_SWITCHES or name in ("WhatIf", "Confirm")
            )
            if not one.has_value and is_switch:
                value, token = True, ""
            elif one.has_value:
                value, token = one.value, one.token
            else:
                following = waiting.pop(0) if waiting and waiting[0].name is None else None
                if following is None:
                    kind = parameter.type_name if parameter is not None else "System.String"
                    self.fail(
                        "MissingArgument",
                        f"Missing an argument for parameter '{name}'. Specify a parameter of type '{kind}' and try again.",
                    )
                value, token = following.value, following.token
            self._put(name, parameter, value, token, bound)
        return left

    def _unknown(self, one: Given) -> list[Given]:
        if not self.signature.advanced:
            return [Given(None, f"-{one.name}", f"-{one.name}")] + (
                [Given(None, one.value, one.token)] if one.has_value else []
            )
        message = f"A parameter cannot be found that matches parameter name '{one.name}'."
        return self.fail("NamedParameterNotFound", message)

    def _put(self, name: str, parameter: SignatureParameter | None, value: Any, token: str, bound: Bound) -> None:
        if name in bound.values or name in bound.common:
            message = (
                f"Cannot bind parameter because parameter '{name}' is specified more than once. To provide multiple values to parameters that can "
                'accept multiple values, use the array syntax. For example, "-parameter value1,value2,value3".'
            )
            self.fail("ParameterAlreadyBound", message)
        if parameter is None or (name in ("WhatIf", "Confirm") and self.signature.should_process):
            bound.common[name] = self._common(name, value)
        else:
            bound.values[parameter.name] = self.convert(parameter, value, token)

    def _common(self, name: str, value: Any) -> Any:
        if name in ("ErrorAction", "WarningAction", "InformationAction"):
            text = to_text(value)
            fitting = [one for one in PREFERENCES if one.casefold() == text.casefold()] or [
                PREFERENCES[int(text)] if text in "01234" and text else ""
            ]
            order = ("SilentlyContinue", "Stop", "Continue", "Inquire", "Ignore")
            if text.isdigit() and int(text) < 5:
                fitting = [order[int(text)]]
            if not fitting[0]:
                message = (
                    f'Cannot bind parameter \'{name}\'. Cannot convert value "{text}" to type "System.Management.Automation.ActionPreference". Error: '
                    f'"Unable to match the identifier name {text} to a valid enumerator name. Specify one of the following enumerator names and try '
                    'again:\nSilentlyContinue, Stop, Continue, Inquire, Ignore, Suspend"'
                )
                self.fail("CannotConvertArgumentNoMessage", message)
            return fitting[0]
        return bool(value) if name in COMMON_SWITCHES or name in ("WhatIf", "Confirm") else value

    def find(self, written: str) -> tuple[str, SignatureParameter | None] | None:
        """The parameter a name means: whole name, alias, or a beginning that fits one only. A common parameter has None beside it."""
        folded = written.casefold()
        parameters = self.signature.parameters
        if folded in parameters:
            return parameters[folded].name, parameters[folded]
        for one in parameters.values():
            if any(alias.casefold() == folded for alias in one.aliases):
                return one.name, one
        if not self.signature.advanced:
            fitting = [one for name, one in parameters.items() if name.startswith(folded)]
            return (
                (fitting[0].name, fitting[0])
                if len(fitting) == 1
                else self._ambiguous(written, [one.name for one in fitting])
                if fitting
                else None
            )
        common = {one.casefold(): one for one in vocabulary.document()["common"]}
        common |= {"whatif": "WhatIf", "confirm": "Confirm"} if self.signature.should_process else {}
        short = {name.casefold(): full for name, full in vocabulary.document()["common_aliases"].items()}
        short |= {"wi": "WhatIf", "cf": "Confirm"} if self.signature.should_process else {}
        if folded in common or folded in short:
            return common.get(folded) or short[folded], None
        names = [one.name for name, one in parameters.items() if name.startswith(folded)]
        names += [full for name, full in common.items() if name.startswith(folded) and full not in names]
        if len(names) > 1:
            return self._ambiguous(written, names)
        if not names:
            return None
        return names[0], parameters.get(names[0].casefold())

    def _ambiguous(self, written: str, names: list[str]) -> NoReturn:
        listed = " ".join(f"-{name}" for name in names)
        self.fail(
            "AmbiguousParameter",
            f"Parameter cannot be processed because the parameter name '{written}' is ambiguous. Possible matches include: {listed}.",
        )

    def _narrow(self, bound: Bound) -> None:
        fitting = [one for one in self.signature.sets if all(name in one.members for name in bound.values)]
        if not fitting and self.signature.sets:
            self.fail("AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters.")
        bound.candidates = fitting

    def _positional(self, given: list[Given], bound: Bound) -> None:
        for place, one in enumerate(given):
            rest = next((p for p in self.signature.parameters.values() if p.rest and p.name not in bound.values), None)
            if self._bind_position(one, bound):
                continue
            if rest is not None:
                left = [item.value for item in given[place:]]
                bound.values[rest.name] = self.convert(rest, left[0] if len(left) == 1 else left, "")
                self._narrow(bound)
                return
            if not self.signature.advanced:
                bound.rest.append(one.value)
                continue
            text = to_text(one.value)
            self.fail(
                "PositionalParameterNotFound", f"A positional parameter cannot be found that accepts argument '{text}'."
            )

    def _bind_position(self, one: Given, bound: Bound) -> bool:
        order = sorted(bound.candidates, key=lambda found: not found.default)
        nexts = [found.position or 0 for candidate in order if (found := self._next(candidate, bound)) is not None]
        failure: Terminating | None = None
        for exact in (True, False):
            for candidate in order:
                parameter = self._next(candidate, bound)
                if (
                    parameter is None
                    or parameter.position != min(nexts)
                    or (exact and not self.fits(parameter, one.value))
                ):
                    continue
                try:
                    value = self.convert(parameter, one.value, one.token)
                except Terminating as error:
                    failure = failure or error
                    continue
                bound.values[parameter.name] = value
                self._narrow(bound)
                return True
        if failure is not None:
            raise failure
        return False

    def _next(self, candidate: ParameterSet, bound: Bound) -> SignatureParameter | None:
        found = [
            one
            for one in self.signature.parameters.values()
            if one.position is not None
            and one.name in candidate.members
            and one.name not in bound.values
            and not one.rest
        ]
        return min(found, key=lambda one: one.position or 0, default=None)

    # What the pipeline brings -------------------------------------------------

    def takes_input(self, bound: Bound) -> bool:
        """Whether any parameter that is still free takes something from the pipeline."""
        return any(
            (one.by_value or one.by_name) and one.name not in bound.values
            for one in self.signature.parameters.values()
            if self._open(one, bound)
        )

    def _open(self, parameter: SignatureParameter, bound: Bound) -> bool:
        return any(parameter.name in one.members for one in bound.candidates)

    def bind_object(self, bound: Bound, item: Any) -> Bound | None:
        """The binding with one object of the pipeline added, or None when nothing takes it."""
        made = Bound(bound.signature, Table(bound.values), dict(bound.common), list(bound.rest), list(bound.candidates))
        took = False
        free = [
            one for one in self.signature.parameters.values() if one.name not in made.values and self._open(one, made)
        ]
        default = next((one for one in made.candidates if one.default), None)
        free.sort(key=lambda one: default is not None and one.name not in default.members)
        for exact in (True, False):
            for parameter in free:
                if not took and parameter.by_value and self._take(parameter, item, made, exact=exact):
                    took = True
            for parameter in free:
                if parameter.name in made.values or not self._open(parameter, made) or not parameter.by_name:
                    continue
                present, value = property_of(item, (parameter.name, *parameter.aliases))
                if present and self._take(parameter, value, made, exact=exact):
                    took = True
            if took:
                break
        return made if took else None

    def _take(self, parameter: SignatureParameter, value: Any, made: Bound, *, exact: bool) -> bool:
        if not self._open(parameter, made):
            return False
        if exact and not self.fits(parameter, value):
            return False
        if (
            not exact
            and not parameter.known
            and not parameter.enumeration
            and not same_kind(value, parameter.type_name.removesuffix("[]"))
        ):
            return False
        try:
            made.values[parameter.name] = self.convert(parameter, value, "")
        except Terminating:
            return False
        made.candidates = [one for one in made.candidates if parameter.name in one.members]
        return True

    def finish(self, bound: Bound, *, coming: bool) -> None:
        """Choose the parameter set; `coming` says that the pipeline may still bring what is missing.

        Raises:
            Terminating: a mandatory parameter is missing, or the set is ambiguous.
        """
        if not bound.candidates:
            return
        lacking = {one.name: self._lacking(one, bound, coming=coming) for one in bound.candidates}
        whole = [one for one in bound.candidates if not lacking[one.name]]
        if not whole:
            default = next((one for one in bound.candidates if one.default), None)
            chosen = default or (
                bound.candidates[0] if len(bound.candidates) == 1 or not self.signature.default_set() else None
            )
            if len(bound.candidates) > 1 and default is None and chosen is None:
                self.fail(
                    "AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters."
                )
            if chosen is None or (len(bound.candidates) > 1 and default is None):
                self.fail(
                    "AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters."
                )
            names = " ".join(lacking[chosen.name])
            self.fail(
                "MissingMandatoryParameter",
                f"Cannot process command because of one or more missing mandatory parameters: {names}.",
            )
        if len(whole) > 1:
            strict = [one for one in whole if not self._lacking(one, bound, coming=False)]
            whole = strict if len(strict) == 1 and not any(one.default for one in whole) else whole
        default = next((one for one in whole if one.default), None)
        if default is None and not self.signature.default_set():
            default = whole[0]
        if default is None and len(whole) > 1 and not coming and not self._same(whole):
            self.fail("AmbiguousParameterSet", "Parameter set cannot be resolved using the specified named parameters.")
        bound.candidates = whole if coming else [default or whole[0]]

    def _same(self, found: list[ParameterSet]) -> bool:
        return len({one.mandatory for one in found}) < len(found) and not self.signature.compiled

    def _lacking(self, one: ParameterSet, bound: Bound, *, coming: bool) -> list[str]:
        missing = []
        for name in one.members:
            if name in one.mandatory and name not in bound.values:
                parameter = self.signature.parameters[name.casefold()]
                if not (coming and (parameter.by_value or parameter.by_name)):
                    missing.append(name)
        return missing

    def not_taken(self, item: Any) -> ErrorRecord:
        """The input object cannot be bound."""
        message = (
            "The input object cannot be bound to any parameters for the command either because the command does not take pipeline input or the input "
            "and its properties do not match any of the parameters that take pipeline input."
        )
        record = ErrorRecord("InputObjectNotBound", message, "InvalidArgument", item, BINDING)
        record.activity = self.name
        record.qualified = f"InputObjectNotBound,{self.signature.error_class or self.signature.name}"
        return record


def property_of(item: Any, names: Iterable[str]) -> tuple[bool, Any]:
    """A property of a pipeline object under one of its names."""
    for name in names:
        if isinstance(item, PsObject) and name in item.properties:
            return True, item.get(name)
        if isinstance(item, str | list) and name.casefold() == "length":
            return True, len(item)
    return False, None
