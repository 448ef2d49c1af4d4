"""Check the arguments of public functions and settings against their annotations, and say what was expected.

It knows plain types, paths, sequences, arrays and classes. What an annotation says beyond that (a range, the columns of
a table) is checked where the value is used.
"""

from __future__ import annotations

import inspect
import math
import os
import reprlib
import sys
import types
import typing
from collections.abc import Callable, Iterable
from functools import wraps
from numbers import Integral, Real
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from semg_hht.errors import InputError

T = TypeVar("T", bound=Callable[..., Any])
PLAIN = (type(None), bool, int, float, complex, str, bytes, list, tuple, dict, set, object)  # of Python itself
EXPECTED = {
    "None": "None",
    "Array": "an array of numbers",
    "bool": "True or False",
    "int": "a whole number",
    "float": "a number",
    "str": "text",
    "Path": "a path",
    "tuple[float, float]": "two numbers",
    "MainsHz": "a number of Hz, 'auto' or None",
    "Checkpoint": "the folder of a run, an open Run or what train returned",
}
SEQUENCES = "Sequence", "Iterable", "tuple"
MEMBERS = {"str": "text", "int": "whole numbers", "float": "numbers"}


def checked(of: T) -> T:
    """A function or a dataclass that raises `InputError` for an argument of another type than its annotation says.

    Text for a `Path` and a list for an array become one, and None for text that is empty by default becomes empty.
    """
    if inspect.isclass(of):
        setattr(of, "__init__", _checked(of.__init__))  # noqa: B010  # mypy forbids to assign it
        return of
    return typing.cast(T, _checked(of))


def _checked(function: Callable[..., Any]) -> Callable[..., Any]:
    parameters = inspect.signature(function).parameters
    kinds = {name: _parts(str(one.annotation)) for name, one in parameters.items() if one.annotation is not one.empty}

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True  # of pytest: the caller is at fault
        given = dict(zip(parameters, args, strict=False))
        if len(args) > len(parameters) or given.keys() & kwargs.keys() or kwargs.keys() - set(parameters):
            return function(*args, **kwargs)  # Python says which are too many
        for name, value in (given | kwargs).items():
            parameter = parameters[name]
            if value is None and parameter.default == "":
                value = ""
            value = _require(name, value, kinds.get(name, []), sys.modules[function.__module__])
            if name in kwargs:
                kwargs[name] = value
            else:
                given[name] = value
        return function(*given.values(), **kwargs)

    return call


def _require(name: str, value: Any, kinds: list[str], module: Any) -> Any:
    """The value; text and lists become the paths and arrays that the alternatives of an annotation ask for.

    Raises
    ------
    InputError
        It has another type.
    """
    is_number = not (isinstance(value, float) and math.isnan(value))
    if not kinds or is_number and any(_fits(value, kind, module) for kind in kinds):
        if "Path" in kinds and "str" not in kinds and value is not None:
            return Path(value)
        return np.asarray(value) if "Array" in kinds and isinstance(value, (list, tuple)) else value
    expected = [_expected(kind) for kind in kinds]
    if name.endswith("_hz") and "a number" in expected:
        expected[expected.index("a number")] = "a number of Hz"
    listed = " or ".join(filter(None, [", ".join(expected[:-1]), expected[-1]]))
    raise InputError(f"{name} must be {listed}; got {reprlib.repr(value)}")


def _parts(annotation: str) -> list[str]:
    """The alternatives of an annotation: ``int | None`` -> ``int``, ``None``; brackets stay together."""
    parts, depth = [""], 0
    for character in annotation:
        depth += (character in "[(") - (character in "])")
        if character == "|" and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts]


def _expected(kind: str) -> str:
    if kind in EXPECTED:
        return EXPECTED[kind]
    outer, _, inner = kind.partition("[")
    if outer in SEQUENCES:
        return " of ".join(["a sequence", *filter(None, [MEMBERS.get(_member(inner))])])
    if outer == "Callable":
        return "a function"
    return f"an {outer}" if outer[0] in "AEIOU" else f"a {outer}"


def _fits(value: Any, kind: str, module: Any) -> bool:
    """Whether a value may be of the type that one alternative of an annotation in ``module`` names."""
    if kind == "None":
        return value is None
    is_truth = isinstance(value, (bool, np.bool_))
    if kind == "bool":
        return is_truth
    if kind in ("int", "float"):
        return not is_truth and isinstance(value, Integral if kind == "int" else Real)
    if kind == "str":
        return isinstance(value, str)
    if kind == "Path":
        return isinstance(value, (str, os.PathLike))
    outer, _, inner = kind.partition("[")
    if kind == "tuple[float, float]":
        return not isinstance(value, str) and _length(value) == 2 and all(_fits(one, "float", module) for one in value)
    if outer in SEQUENCES:
        return _is_sequence(value, _member(inner), module)
    if outer == "Callable":
        return callable(value)
    if kind == "Any" or inner:
        return True
    found = getattr(module, kind, None)
    if found is None:  # a class that only type checkers import: its name is all that is known
        return type(value) not in PLAIN or any(one.__name__ == kind for one in type(value).__mro__)
    return _is_one(value, found, module)


def _member(inner: str) -> str:
    """What a sequence holds, from what stands after its opening bracket: ``str, ...]`` -> ``str``."""
    return inner.removesuffix("]").removesuffix(", ...")


def _is_sequence(value: Any, member: str, module: Any) -> bool:
    """Whether a value may be a sequence. A text is one of texts; the members of a generator are not looked at."""
    if isinstance(value, str):
        return member == "str"
    if isinstance(value, (list, tuple)):
        return all(any(_fits(one, kind, module) for kind in _parts(member)) for one in value)
    return isinstance(value, Iterable) and not isinstance(value, (bytes, dict))


def _length(value: Any) -> int:
    return len(value) if hasattr(value, "__len__") else -1


def _is_one(value: Any, found: Any, module: Any) -> bool:
    """Whether a value may be of a type or a union of types; of other aliases nothing is said."""
    if typing.get_origin(found) in (typing.Union, types.UnionType):
        return any(_is_one(value, one, module) for one in typing.get_args(found))
    if typing.get_origin(found) is typing.Literal:
        return isinstance(value, str)  # which texts are allowed, is said where they are used
    if found in (bool, int, float, str, Path, type(None)):
        return _fits(value, "None" if found is type(None) else found.__name__, module)
    if typing.get_origin(found) is np.ndarray:
        try:
            array = np.asarray(value)
        except ValueError:  # rows of several lengths
            return False
        return array.ndim > 0 and array.dtype.kind in "biuf"
    if not inspect.isclass(found) or typing.get_origin(found) is not None:
        return True
    return type(value) not in PLAIN if getattr(found, "_is_protocol", False) else isinstance(value, found)
