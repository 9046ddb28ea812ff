"""Names: which may be asked for below a route, which is immutable, and the paths that are given for both."""

from __future__ import annotations

import re

from fastwsgi.records import NamedTuple

# An empty segment, one that begins with a dot (".." among them) but .well-known, or what no file should be called
REFUSED = re.compile(r"(?:^|/)(?:/|\.(?!well-known(?:/|$)))|[\\\0]")

HASHED = r"\.[0-9a-f]{12}(\.[^.]+)?$"
"""The names of Django's ManifestStaticFilesStorage: base.27e20196a850.css."""

LONGEST = 128  # characters of a name that an expression is tried on
MOST_WAYS = 2 * LONGEST**3
TOKEN = re.compile(
    r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|(?P<open>\()|(?P<close>\))|(?P<bar>\|)|(?P<many>[*+?]|\{[0-9,]+\})|.", re.DOTALL
)
FIXED = re.compile(r"\{[0-9]+\}")


class Mount(NamedTuple):
    """A folder and where it is: *route* is a path that ends with "/", *folder* one of the file system."""

    route: str
    folder: str


def read_mount(text: str) -> Mount:
    """The meaning of ROUTE=DIR.

    Raises:
        ValueError: it is not of this form; the message completes "it must be".
    """
    route, equals, folder = text.partition("=")
    if not (equals and folder and route.startswith("/")) or "\0" in text:
        raise ValueError("ROUTE=DIR, such as /static=/srv/static")
    route = route.rstrip("/") + "/"
    if REFUSED.search(route[1:]) or re.search(r"[^\x21-\x7e]|[?#%]", route):
        raise ValueError('ROUTE=DIR with a route in ASCII without blanks, "?", "#", "%", "\\", "//" and "/."')
    return Mount(route, folder)


def file_name(below: str) -> bytes | None:
    """The file's name for the decoded path *below* a route; None if no file of such a name is served."""
    return None if REFUSED.search(below) else below.encode("latin-1")


class Immutable:
    """Tells names that change with their content, as those with a hash in them do.

    Names are matched in the thread that has the loop, and who uploads files may choose them. So the expression must not
    be one that can take for ever: what it can match in several ways is counted in advance.

    Args:
        text: a regular expression, looked for in the last segment of a path; "" matches none.

    Raises:
        ValueError: it is none, or may take too long.
    """

    def __init__(self, text: str) -> None:
        self._pattern = None
        if text:
            try:
                self._pattern = re.compile(text)
            except re.error as error:
                raise ValueError(f"a regular expression: {error}") from None
            _refuse_slow(text)

    def __call__(self, name: str) -> bool:
        """Whether the file called *name* never changes."""
        return self._pattern is not None and len(name) <= LONGEST and self._pattern.search(name) is not None


def _refuse_slow(text: str) -> None:
    """Raise ValueError if a match may be tried in more than MOST_WAYS ways from one place on."""
    ways, branches = 1, [1]
    before = ""
    for token in TOKEN.finditer(text):
        kind = token.lastgroup or "one"
        if kind == "open":
            branches.append(1)
        elif kind == "bar":
            branches[-1] += 1
        elif kind == "close":
            ways *= branches.pop()
        elif kind == "many" and before == "close" and token[0] != "?":
            raise ValueError("an expression that repeats no group: such a one can take for ever")
        elif kind == "many" and before not in ("many", "open"):  # behind one it is lazy, behind "(" a kind of group
            ways *= 2 if token[0] == "?" else 1 if FIXED.fullmatch(token[0]) else LONGEST
        before = kind
    if ways * branches[0] > MOST_WAYS:
        raise ValueError("an expression with three repeats at most: with more it can take too long")
