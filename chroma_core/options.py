"""Options of stages: frozen dataclasses, and their text form.

A stage's options are one frozen dataclass. Its fields carry what the command line, the reference
pages, web forms and model files need: default, type, help, unit and bounds. The text form
(``{"step": "4", "sizes": "4,8,16"}``) is what ``--set STAGE.OPTION=VALUE`` takes and what a model
folder records; going to text and back is the identity (a law in the tests).
"""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeVar

from chroma_core.errors import OptionError

__all__ = [
    "NoOptions",
    "OptionDescription",
    "Options",
    "describe_options",
    "option",
    "options_from_text",
    "options_to_text",
]

OptionsT = TypeVar("OptionsT", bound="Options")


def option(
    default: Any,
    help: str,
    *,
    unit: str = "",
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    run: bool = False,
) -> Any:
    """Declare one option: a dataclass field with help, unit and bounds.

    Parameters
    ----------
    default : bool, int, float, str, Path, or tuple of int, float or str
        The default, which also stands for absence: None is not allowed.
    help : str
        One line for people.
    unit : str, optional
        Unit of a number, such as ``"px"`` or ``"L*"``.
    ge, gt, le, lt : float, optional
        Bounds on a number, or on every item of a tuple.
    run : bool, optional
        True where the option cannot change what a trained model expects (a batch size, a number of
        threads), so that it may differ from the model's.
    """
    bounds = {"ge": ge, "gt": gt, "le": le, "lt": lt}
    metadata = {"help": help, "unit": unit, "run": run}
    metadata.update({name: bound for name, bound in bounds.items() if bound is not None})
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, kw_only=True)
class Options:
    """Base of every stage's options; checks types and bounds.

    Raises
    ------
    OptionError
        If a value has the wrong type or lies outside the bounds of its field.
    """

    def __post_init__(self) -> None:
        """Refuse values that the fields' declarations do not allow."""
        for described in describe_options(type(self)):
            _check(described, getattr(self, described.name))


@dataclass(frozen=True, kw_only=True)
class NoOptions(Options):
    """The options of a stage that has none."""


@dataclass(frozen=True, kw_only=True)
class OptionDescription:
    """What is known of one option, for help texts, web forms and reference pages.

    Attributes
    ----------
    name : str
        Name of the field.
    type : Any
        Its type: bool, int, float, str, Path, a Literal, or a tuple of one of int, float, str.
    default : Any
        Its default.
    help, unit : str
        One line for people, and the unit of a number.
    bounds : Mapping[str, float]
        Any of ``ge``, ``gt``, ``le``, ``lt``.
    run : bool
        True where it may differ from a model's.
    """

    name: str
    type: Any
    default: Any
    help: str
    unit: str
    bounds: Mapping[str, float]
    run: bool

    @property
    def allowed(self) -> str:
        """What values are allowed, in words."""
        return _allowed(self)

    @property
    def default_text(self) -> str:
        """The default as ``--set`` would take it."""
        return _to_text(self.default)


def describe_options(options_type: type[Options]) -> tuple[OptionDescription, ...]:
    """Return what is known of each option, in the order of declaration."""
    hints = typing.get_type_hints(options_type)
    described = []
    for item in dataclasses.fields(options_type):
        bounds = {key: item.metadata[key] for key in _SIGNS if key in item.metadata}
        described.append(
            OptionDescription(
                name=item.name,
                type=hints[item.name],
                default=item.default,
                help=item.metadata.get("help", ""),
                unit=item.metadata.get("unit", ""),
                bounds=types.MappingProxyType(bounds),
                run=bool(item.metadata.get("run", False)),
            )
        )
    return tuple(described)


def options_to_text(options: Options, *, run: bool = True) -> dict[str, str]:
    """Return the options as text, the way ``--set`` and model folders write them.

    Parameters
    ----------
    options : Options
        Any stage's options.
    run : bool, optional
        Whether to include options that are marked ``run``.
    """
    return {
        described.name: _to_text(getattr(options, described.name))
        for described in describe_options(type(options))
        if run or not described.run
    }


def options_from_text(
    options_type: type[OptionsT], text: Mapping[str, str], *, owner: str = ""
) -> OptionsT:
    """Build options from their text form; what is not named keeps its default.

    Parameters
    ----------
    options_type : type of Options
        The dataclass to build.
    text : Mapping[str, str]
        Option names and values as text.
    owner : str, optional
        Name of the stage, for messages.

    Raises
    ------
    OptionError
        If a name is unknown (the nearest one is offered) or a value cannot be read or used.
    """
    described = {item.name: item for item in describe_options(options_type)}
    prefix = f"{owner}." if owner else ""
    values = {}
    for name, value in text.items():
        if name not in described:
            near = difflib.get_close_matches(name, described, n=1)
            known = ", ".join(described) or "none"
            hint = f"did you mean {prefix}{near[0]}?" if near else f"options: {known}"
            raise OptionError(f"unknown option {prefix}{name}", hint=hint)
        try:
            values[name] = _from_text(described[name].type, value)
        except ValueError:
            raise OptionError(
                f"{prefix}{name} is {value!r}, wanted {described[name].allowed}"
            ) from None
    try:
        return options_type(**values)
    except OptionError as error:
        raise OptionError(f"{prefix}{error.what}", hint=error.hint) from None


_SIGNS = {"ge": "at least", "gt": "above", "le": "at most", "lt": "below"}
_WORDS = {bool: "true or false", int: "a whole number", float: "a number", str: "text"}


def _allowed(described: OptionDescription) -> str:
    origin = typing.get_origin(described.type)
    if origin is Literal:
        return "one of " + ", ".join(str(value) for value in typing.get_args(described.type))
    if origin is tuple:
        item = typing.get_args(described.type)[0]
        words = f"{_WORDS[item]}, or several separated by commas"
    else:
        words = _WORDS.get(described.type, "a path")
    limits = " and ".join(
        f"{sign} {described.bounds[key]:g}"
        for key, sign in _SIGNS.items()
        if key in described.bounds
    )
    unit = f" ({described.unit})" if described.unit else ""
    return f"{words} {limits}{unit}" if limits else f"{words}{unit}"


def _check(described: OptionDescription, value: Any) -> None:
    origin = typing.get_origin(described.type)
    if origin is Literal:
        fits = value in typing.get_args(described.type)
    elif origin is tuple:
        item = typing.get_args(described.type)[0]
        fits = isinstance(value, tuple) and all(_is_a(item, part) for part in value)
        fits = fits and all(_within(described.bounds, part) for part in value)
    else:
        fits = _is_a(described.type, value) and _within(described.bounds, value)
    if not fits:
        raise OptionError(f"{described.name} is {value!r}, wanted {described.allowed}")


def _is_a(wanted: Any, value: Any) -> bool:
    if wanted is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if wanted is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, wanted)


def _within(bounds: Mapping[str, float], value: Any) -> bool:
    if isinstance(value, float) and math.isnan(value):
        return False
    compare = {
        "ge": lambda bound: value >= bound,
        "gt": lambda bound: value > bound,
        "le": lambda bound: value <= bound,
        "lt": lambda bound: value < bound,
    }
    return all(compare[key](bound) for key, bound in bounds.items())


def _to_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return repr(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, tuple):
        return ",".join(_to_text(part) for part in value)
    return str(value)


def _from_text(wanted: Any, text: str) -> Any:
    origin = typing.get_origin(wanted)
    if origin is Literal:
        for choice in typing.get_args(wanted):
            if str(choice) == text:
                return choice
        raise ValueError(text)
    if origin is tuple:
        item = typing.get_args(wanted)[0]
        return tuple(_from_text(item, part.strip()) for part in text.split(",")) if text else ()
    if wanted is bool:
        words = {"true": True, "yes": True, "on": True, "1": True}
        words.update({"false": False, "no": False, "off": False, "0": False})
        if text.lower() not in words:
            raise ValueError(text)
        return words[text.lower()]
    if wanted is Path:
        return Path(text)
    return wanted(text)
