"""Lines of the access log as entries of logging: a format, and a dict of gunicorn's atoms as its only argument.

Formatters that are written for gunicorn read `record.args["s"]`. Where lines go to handlers, they therefore wait as the
values of all atoms, with a separator that is escaped in texts; only then is the format of the settings applied.
"""

from __future__ import annotations

from fastwsgi.observe.formats import ATOM, FIELDS, OTHERS, PLAIN, read_atoms, read_format, text_of

SEPARATOR = "\x1f"
NUMBERS = ("B", "T", "M", "D")  # the atoms that are int in gunicorn


class Atoms(dict[str, "str | int"]):
    """The atoms of one line; a missing one is "-", and `{name}i` and `{name}o` are found in any case."""

    def __missing__(self, name: str) -> str | int:
        return self.get(name.lower(), "-") if name.startswith("{") else "-"


class Entries:
    """Makes entries of the lines of one format, and of other lines entries with the one atom "line".

    Attributes:
        format: the form in which lines have to wait. JSON has no atoms, and waits as it is.

    Args:
        text: access_log_format, without mistakes.
    """

    def __init__(self, text: str | None) -> None:
        self._message = text_of(text)
        self._names: list[str] = []
        if text == "json":
            self.format = read_format(text)
            return
        named = [f"{{{match['name']}}}{match['kind']}" for match in ATOM.finditer(self._message) if match["name"]]
        names = list(dict.fromkeys([*PLAIN, *FIELDS, *OTHERS, *named]))
        self.format = read_atoms(names, SEPARATOR, self._message)
        self._names = [name.lower() if name.endswith(("}i", "}o")) else name for name in names]

    def read(self, data: bytes) -> list[tuple[str, Atoms]]:
        """The message and the atoms of each line."""
        return [self._entry(line) for line in data.decode("utf-8", "backslashreplace").split("\n") if line]

    def plain(self, data: bytes) -> bytes:
        """The lines as a file has them."""
        if SEPARATOR.encode() not in data:
            return data
        return "".join([f"{message % atoms}\n" for message, atoms in self.read(data)]).encode()

    def _entry(self, line: str) -> tuple[str, Atoms]:
        values = line.split(SEPARATOR)
        if len(values) != len(self._names):
            return "%(line)s", Atoms(line=line)
        atoms = Atoms(zip(self._names, values))
        for name in NUMBERS:
            if atoms[name] != "-":
                atoms[name] = int(atoms[name])
        return self._message, atoms
