"""Classes that are their fields: what dataclasses makes of annotations, without that module.

It imports inspect, ast and dis, 900 KB, and has the compiler make three functions for each class, a millisecond. These
have the same ones for all. They take keywords and defaults as a dataclass does, inherit fields, compare by value and,
frozen, have a hash and refuse assignments.

NamedTuple is typing's without that compiles each annotation, since ours are text: 15 µs a field, and the first call of
compile() makes the 119 classes of ast, 200 KB.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, Callable

__all__ = ["NamedTuple", "asdict", "field", "record"]

if TYPE_CHECKING:
    from dataclasses import asdict as asdict
    from dataclasses import dataclass as record
    from dataclasses import field as field
    from typing import NamedTuple as NamedTuple
else:

    def record(kind: type | None = None, *, frozen: bool = False, eq: bool = True) -> Any:
        """Make the class *kind* a record; with arguments, a decorator that does."""

        def make(kind: type) -> type:
            names = vars(kind).get("__annotations__", {})
            kind._fields = tuple(dict.fromkeys((*getattr(kind, "_fields", ()), *names)))
            if "__init__" not in vars(kind):
                kind.__init__ = _init
            kind.__repr__ = _repr
            if eq:
                kind.__eq__ = _eq
                kind.__hash__ = _hash if frozen else None
            if frozen:
                kind.__setattr__ = kind.__delattr__ = _refuse
            return kind

        return make if kind is None else make(kind)

    class field:  # as in dataclasses
        """A default that is made anew for each object."""

        def __init__(self, default_factory: Callable[[], Any]) -> None:
            self.make = default_factory

    def asdict(value: Any) -> Any:
        """A record and those in it as dicts, down through its lists, tuples and dicts."""
        if hasattr(value, "_fields") and not isinstance(value, tuple):
            return {name: asdict(getattr(value, name)) for name in value._fields}
        if isinstance(value, dict):
            return {key: asdict(one) for key, one in value.items()}
        if isinstance(value, (list, tuple)):
            made = map(asdict, value)
            return type(value)(*made) if hasattr(value, "_fields") else type(value)(made)
        return value

    class NamedTupleMaker(type):
        """Makes a named tuple of a class that is written as for typing.NamedTuple."""

        def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            fields = body["__annotations__"]
            defaults = [body.pop(one) for one in fields if one in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            for key, value in body.items():
                setattr(made, key, value)
            return made

    NamedTuple = type.__new__(NamedTupleMaker, "NamedTuple", (), {})

    def _init(self: Any, *values: Any, **named: Any) -> None:
        fields = self._fields
        given = {**dict(zip(fields, values)), **named}
        if len(values) > len(fields) or not named.keys() <= set(fields[len(values) :]):
            raise TypeError(f"{type(self).__name__}() has the fields {', '.join(fields)}, and got {values} {named}")
        for name in fields:
            if name not in given:
                given[name] = _default(type(self), name)
        vars(self).update(given)
        if hasattr(self, "__post_init__"):
            self.__post_init__()

    def _default(kind: type, name: str) -> Any:
        try:
            default = getattr(kind, name)
        except AttributeError:
            raise TypeError(f"{kind.__name__}() misses {name!r}") from None
        return default.make() if isinstance(default, field) else default

    def _values(self: Any) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self._fields)

    def _repr(self: Any) -> str:
        return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self._fields)})"

    def _eq(self: Any, other: object) -> Any:
        return _values(self) == _values(other) if type(other) is type(self) else NotImplemented

    def _hash(self: Any) -> int:
        return hash(_values(self))

    def _refuse(self: Any, name: str, *value: Any) -> None:
        raise AttributeError(f"{type(self).__name__}.{name} is not to be changed")
