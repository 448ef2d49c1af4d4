"""Arguments of another type than their annotation says: which are refused, in which words, and that all are seen."""

from __future__ import annotations

import dataclasses
import inspect
import math
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
from numpy.typing import NDArray

import semg_hht as sh
from semg_hht.system.arguments import checked

if TYPE_CHECKING:
    from semg_hht.learning.epochs import TrainingConfig

Array = NDArray[np.float64]
Either = int | Path | None
ANY = "Any", "Data", "TrainingInput", "RecordingLike"  # what says for itself what it expects


class Folder(Protocol):
    @property
    def folder(self) -> Path: ...


@checked
@dataclasses.dataclass(frozen=True)
class Options:
    number: float = 1.0
    whole: int | None = None
    name: str = ""
    is_on: bool = False
    path: Path | None = None
    band_hz: tuple[float, float] = (1.0, 2.0)
    names: Sequence[str] = ()
    numbers: tuple[int, ...] = ()
    training: TrainingConfig | None = None
    either: Either = None
    array: Array | None = None
    arrays: Iterable[Array] = ()
    folder: Folder | None = None
    call: Callable[[], None] | None = None
    anything: Sequence[str] | Any = None


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("number", "ten", "number must be a number; got 'ten'"),
        ("number", math.nan, "number must be a number; got nan"),
        ("number", True, "number must be a number; got True"),
        ("whole", 2.5, "whole must be a whole number or None; got 2.5"),
        ("name", 3, "name must be text; got 3"),
        ("is_on", 1, "is_on must be True or False; got 1"),
        ("path", 4, "path must be a path or None; got 4"),
        ("band_hz", (1.0, "x"), r"band_hz must be two numbers; got \(1.0, 'x'\)"),
        ("band_hz", "ab", "band_hz must be two numbers; got 'ab'"),
        ("names", ["a", 1], r"names must be a sequence of text; got \['a', 1\]"),
        ("numbers", ["a"], r"numbers must be a sequence of whole numbers; got \['a'\]"),
        ("numbers", "a", "numbers must be a sequence of whole numbers; got 'a'"),
        ("training", "fast", "training must be a TrainingConfig or None; got 'fast'"),
        ("number", "x" * 99, r"number must be a number; got 'x+\.\.\.x+'"),
        ("array", ["x"], r"array must be an array of numbers or None; got \['x'\]"),
        ("array", [[1], [1, 2]], r"array must be an array of numbers or None; got \[\[1\], \[1, 2\]\]"),
        ("arrays", [1], r"arrays must be a sequence; got \[1\]"),
        ("folder", 1, "folder must be a Folder or None; got 1"),
        ("call", 1, "call must be a function or None; got 1"),
    ],
)
def test_another_type_is_refused_in_a_sentence(name: str, value: Any, expected: str) -> None:
    given: dict[str, Any] = {name: value}
    with pytest.raises(sh.InputError, match=f"^{expected}$"):
        Options(**given)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("number", np.float32(2)), ("number", 3), ("number", math.inf), ("whole", np.int64(2)), ("is_on", np.True_),
        ("band_hz", [1, 2.5]), ("names", "biceps"), ("names", ["a"]), ("numbers", (1, 2)),
        ("training", sh.TrainingConfig()), ("either", 1), ("array", np.zeros(2)), ("arrays", [np.zeros(2), [1, 2]]),
        ("arrays", iter([])), ("call", print), ("anything", 7),
    ],
)  # fmt: skip
def test_what_the_annotation_allows_is_taken_as_it_is(name: str, value: Any) -> None:
    given: dict[str, Any] = {name: value}
    assert getattr(Options(**given), name) is value


def test_text_lists_and_none_become_what_the_annotation_asks_for() -> None:
    given: dict[str, Any] = {"path": "a/b", "name": None, "array": [1.0, 2.0]}
    options = Options(**given)
    assert options.path == Path("a/b") and options.name == "" and isinstance(options.array, np.ndarray)
    assert dataclasses.replace(options, number=2.0).path == Path("a/b")


def test_a_wrong_number_of_arguments_is_said_by_python() -> None:
    wrong: Any = Options
    for call in (lambda: wrong(*range(40)), lambda: wrong(nothing=1), lambda: wrong(1.0, number=2.0)):
        with pytest.raises(TypeError, match="argument"):
            call()


def public() -> list[str]:
    """The functions and the settings (dataclasses whose fields all have a default) of the package."""
    found = []
    for name in sh.__all__:
        one = getattr(sh, name)
        is_settings = dataclasses.is_dataclass(one) and name.endswith(("Options", "Config", "Size", "Work"))
        if inspect.isfunction(one) or is_settings:
            found.append(name)
    return found


@pytest.mark.parametrize("name", public())
def test_every_public_function_and_setting_refuses_wrong_types_by_name(name: str) -> None:
    one = getattr(sh, name)
    parameters = inspect.signature(one).parameters
    needed: dict[str, Any] = {key: "x" for key, parameter in parameters.items() if parameter.default is parameter.empty}
    checked_here = 0
    for key, parameter in parameters.items():
        if any(kind in ANY for kind in str(parameter.annotation).replace("|", " ").split()):
            continue
        with pytest.raises(sh.InputError, match=f"^{key} must be .*; got "):
            one(**{key: b"x"} | {other: value for other, value in needed.items() if other != key})
        checked_here += 1
    assert checked_here
