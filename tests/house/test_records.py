"""records.py makes of a class what dataclasses makes of it, as far as it goes."""

from __future__ import annotations

import dataclasses
import re
import typing
from pathlib import Path
from typing import Any

import pytest

from fastwsgi import records


def classes(record: Any, field: Any) -> Any:
    """A record, one that inherits from it, and a frozen one, made by either module."""

    @record
    class Base:
        name: str
        number: int = 3
        parts: list[object] = field(default_factory=list)

        def __post_init__(self) -> None:
            self.length = len(self.name)

    @record
    class Derived(Base):
        last: tuple[object, ...] = ()

    @record(frozen=True)
    class Frozen:
        name: str
        number: int = 3

    return Base, Derived, Frozen


BOTH = (classes(dataclasses.dataclass, dataclasses.field), classes(records.record, records.field))


@pytest.mark.parametrize("index", range(3))
@pytest.mark.parametrize(
    ("values", "named"),
    [
        (("a",), {}), (("a", 4), {}), ((), {"name": "a", "number": 5}), (("a",), {"last": (1,)}), ((), {}),
        (("a",), {"name": "b"}), (("a",), {"other": 1}), (("a", 1, [], (), 5), {}), (("a", 1, [2]), {}),
    ],
)  # fmt: skip
def test_the_same_values_are_taken_and_shown(index: int, values: Any, named: Any) -> None:
    def made(kind: Any) -> str | type:
        try:
            return repr(kind(*values, **named))
        except TypeError:
            return TypeError

    theirs, ours = (made(both[index]) for both in BOTH)
    assert ours == theirs


def test_they_compare_by_value_within_their_class() -> None:
    base, derived, frozen = BOTH[1]
    assert base("a") == base("a")
    assert base("a") != base("a", 4)
    assert base("a") != derived("a")
    assert base("a").length == 1
    assert base("a").parts is not base("a").parts
    assert {frozen("a"), frozen("a")} == {frozen("a", 3)}
    with pytest.raises(TypeError):
        hash(base("a"))
    with pytest.raises(AttributeError):
        frozen("a").name = "b"


def test_they_become_dicts() -> None:
    for (base, derived, _), module in zip(BOTH, (dataclasses, records)):
        whole = base("a", parts=[derived("b", last=({"c": base("d")},))])
        assert module.asdict(whole) == {
            "name": "a",
            "number": 3,
            "parts": [
                {
                    "name": "b", "number": 3, "parts": [],
                    "last": ({"c": {"name": "d", "number": 3, "parts": []}},),
                }
            ],
        }


def named_tuple(base: Any) -> Any:
    class Place(base):
        """Where."""

        name: str
        number: int = 3

        @property
        def length(self) -> int:
            return len(self.name)

        def __str__(self) -> str:
            return f"at {self.name}"

    return Place


def test_named_tuples_are_as_typing_makes_them() -> None:
    theirs, ours = (named_tuple(base) for base in (typing.NamedTuple, records.NamedTuple))
    for kind in (theirs, ours):
        place = kind("a")
        assert place == ("a", 3) == (place.name, place.number)
        assert (str(place), repr(place), place.length) == ("at a", "Place(name='a', number=3)", 1)
        assert place._replace(number=4)._asdict() == {"name": "a", "number": 4}
        with pytest.raises(TypeError):
            kind()
    for name in ("__module__", "__qualname__", "__doc__", "__mro__", "_fields", "_field_defaults"):
        assert getattr(ours, name) in (getattr(theirs, name), (ours, tuple, object))


def test_all_named_tuples_are_made_so() -> None:
    texts = {path.name: path.read_text() for path in Path(records.__file__).parent.rglob("*.py")}
    assert [name for name, text in texts.items() if re.search(r"^from typing .*NamedTuple", text, re.MULTILINE)] == []
