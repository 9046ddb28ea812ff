"""A setting: its declaration, and the reading of values given for it.

One declaration makes the attribute of `Settings`, the keyword of `fastwsgi.serve`, the options of the command line, the
environment variable, the key of the file, and the entries in the help and the manual.
"""

from __future__ import annotations

from typing import Generic, TypeVar, overload

from fastwsgi.records import record
from fastwsgi.settings.kind import Kind, Unfit

T = TypeVar("T")

PREFIX = "FASTWSGI_"
"""The beginning of the names of all our environment variables."""


class SettingError(ValueError):
    """A setting that does not exist, or values that settings cannot have; `str()` of it is one line.

    Attributes:
        names: the settings that have these values; none if the setting does not exist.
        problem: the complaint without the names.
        flag: the option, if the error is about only one setting.
    """

    def __init__(self, line: str, names: tuple[str, ...] = (), problem: str = "", flag: str = "") -> None:
        super().__init__(line)
        self.names = names
        self.problem = problem
        self.flag = flag

    @classmethod
    def between(cls, names: tuple[str, ...], problem: str) -> SettingError:
        """The error for settings that exclude each other; *problem* follows their names."""
        return cls(f"{' and '.join(names)} {problem}", names, problem)


@record(frozen=True, eq=False)
class Setting(Generic[T]):
    """The declaration of one setting.

    Attributes:
        group: its heading in the help.
        kind: the way to read and show its values.
        default: its value if none is given.
        help: its purpose, in one line.
        flags: its options on the command line: at most one short one, then the long ones, of which only the first is
            shown; derived from the name if empty.
        reloadable: whether a reload (SIGHUP) gives it a new value.
        supervised: whether only a supervisor can carry it out, so that any value but the default needs one.
        name: its attribute of `Settings`.
    """

    group: str
    kind: Kind[T]
    default: T
    help: str
    flags: tuple[str, ...] = ()
    reloadable: bool = True
    supervised: bool = False
    name = ""  # no field

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
        """The declaration on the class, the default on an object (unless it has a value of its own)."""
        return self if instance is None else self.default

    @property
    def flag(self) -> str:
        """The long flag that is shown."""
        return next(flag for flag in self.flags if flag.startswith("--"))

    @property
    def opposite(self) -> str:
        """The flag that undoes *flag*, for an on-off setting."""
        bare = self.flag[2:]
        return f"--{bare[3:]}" if bare.startswith("no-") else f"--no-{bare}"

    @property
    def shown_default(self) -> str:
        """The default as it may be given; empty where that is off, empty or none, which need not be shown."""
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
        """The meaning of an environment variable's text, still to be read. Raises SettingError."""
        try:
            return self.kind.parse(text)
        except ValueError as error:
            raise self._error(text, error) from None

    @property
    def keys(self) -> dict[str, bool]:
        """Its names as a key, a keyword or (behind PREFIX) a variable: the attribute's, and those of its long flags.

        True for one that says the opposite, such as no_scanner.
        """
        bare = [flag[2:].replace("-", "_") for flag in self.flags if flag.startswith("--")]
        switch = [self.flag[2:], self.opposite[2:]] if isinstance(self.default, bool) else []
        names = [self.name, *bare, *(one.replace("-", "_") for one in switch)]
        return {name: bool(switch) and name.startswith("no_") for name in names}

    def _error(self, value: object, wanted: ValueError) -> SettingError:
        problem = str(wanted) if isinstance(wanted, Unfit) else f"{self._as_given(value)} must be {wanted}"
        return SettingError(f"{self.name}={problem}", (self.name,), problem, self.flag)

    def _as_given(self, value: object) -> str:
        """A wrong value as the user wrote it: of several, those that are wrong by themselves, or else all."""
        if not isinstance(value, (list, tuple)) or not value:
            return repr(value)
        wrong = [one for one in value if not self._can_be([one])]
        return ", ".join(map(repr, wrong or value))

    def _can_be(self, value: object) -> bool:
        try:
            self.kind.read(value)
        except ValueError:
            return False
        return True
