"""What a setting is: its declaration, and how values given for it are read.

One declaration makes the attribute of `Settings`, the keyword of `fastwsgi.serve`, the options of the command line, the
environment variable, the key of the file, and their places in the help and the manual.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar, overload

from fastwsgi.settings.kinds import Kind

T = TypeVar("T")

PREFIX = "FASTWSGI_"
"""What the names of all our environment variables begin with."""


class SettingError(ValueError):
    """A setting that does not exist, or values that settings cannot have; `str()` of it is one line.

    Attributes:
        names: of the settings that have these values; none if the setting does not exist.
        problem: the complaint without the names.
        flag: the option of the setting, where it is one.
    """

    def __init__(self, line: str, names: tuple[str, ...] = (), problem: str = "", flag: str = "") -> None:
        super().__init__(line)
        self.names = names
        self.problem = problem
        self.flag = flag

    @classmethod
    def between(cls, names: tuple[str, ...], problem: str) -> SettingError:
        """The error of settings that exclude each other; *problem* goes on after their names."""
        return cls(f"{' and '.join(names)} {problem}", names, problem)


@dataclass(frozen=True, eq=False)
class Setting(Generic[T]):
    """The declaration of one setting.

    Attributes:
        group: the heading it has in the help.
        kind: how its values are read and shown.
        default: its value where none is given.
        help: what it is for, in one line.
        flags: its options on the command line: at most one short one, then the long ones, of which only the first is
            shown; they follow from the name if empty.
        reloadable: whether a reload (SIGHUP) gives it a new value.
        supervised: whether only a supervisor does what it asks for, so that a value other than the default needs one.
        from_variable: whether an environment variable sets it, too.
        name: its attribute of `Settings`.
    """

    group: str
    kind: Kind[T]
    default: T
    help: str
    flags: tuple[str, ...] = ()
    reloadable: bool = True
    supervised: bool = False
    from_variable: bool = True
    name: str = field(default="", init=False)

    def __set_name__(self, owner: type, name: str) -> None:
        object.__setattr__(self, "name", name)
        if not any(flag.startswith("--") for flag in self.flags):
            no = "no-" if self.default is True else ""
            object.__setattr__(self, "flags", (*self.flags, f"--{no}{name.replace('_', '-')}"))

    @overload
    def __get__(self, instance: None, owner: type) -> Setting[T]: ...

    @overload
    def __get__(self, instance: object, owner: type) -> T: ...

    def __get__(self, instance: object | None, owner: type) -> Setting[T] | T:
        """The declaration on the class, the default on an object (whose own value comes first)."""
        return self if instance is None else self.default

    @property
    def flag(self) -> str:
        """The long flag that is shown."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def opposite(self) -> str:
        """The flag that takes back what *flag*, of a setting that is on or off, says."""
        bare = self.flag[2:]
        return f"--{bare[3:]}" if bare.startswith("no-") else f"--no-{bare}"

    @property
    def shown_default(self) -> str:
        """The default as it may be given; empty where that is off, empty or none, which goes without saying."""
        if isinstance(self.default, bool) or self.default in (None, "", []):
            return ""
        return self.kind.show(self.default)

    @property
    def variable(self) -> str:
        """The environment variable that sets it, if one does."""
        return f"{PREFIX}{self.name.upper()}"

    def read(self, value: object) -> T:
        """*value* in the setting's type. Raises SettingError."""
        try:
            return self.kind.read(value)
        except ValueError as error:
            raise self._error(value, error) from None

    def read_text(self, text: str) -> object:
        """What the text of an environment variable stands for, still to be read. Raises SettingError."""
        try:
            return self.kind.parse(text)
        except ValueError as error:
            raise self._error(text, error) from None

    def _error(self, value: object, wanted: ValueError) -> SettingError:
        problem = f"{value!r} must be {wanted}"
        return SettingError(f"{self.name}={problem}", (self.name,), problem, self.flag)
