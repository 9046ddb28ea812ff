"""Files that the application has the server send: X-Sendfile and X-Accel-Redirect in its response.

The application says who may have which file, and the file goes out by sendfile(), with conditions and ranges. It can
name only files of the folders that --x-sendfile gives, which no request can ask for by itself.
"""

from __future__ import annotations

import errno
import stat
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes

from fastwsgi.http.answers import answer
from fastwsgi.observe.formats import http_date
from fastwsgi.originals import os, time
from fastwsgi.records import NamedTuple
from fastwsgi.static.conditions import CONDITIONAL, NOT_MODIFIED, OUTSIDE, PART, WHOLE, Part, Validators, part_of
from fastwsgi.static.dates import read_date
from fastwsgi.static.files import File
from fastwsgi.static.media_types import media_type
from fastwsgi.static.site import ABSENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from fastwsgi.http.file_wrapper import FileStretch
    from fastwsgi.static.site import Folder

    Fields = list[tuple[str, str]]

NAMES = ("x-sendfile", "x-accel-redirect")
METHODS = ("GET", "HEAD")
REPLACED = {*NAMES, "content-length", "content-range", "accept-ranges"}  # the application's are of its own body


class Handed(NamedTuple):
    """What is sent in place of the application's response.

    Attributes:
        problem: for the error log; "" if there is none.
    """

    status: str
    fields: Fields
    body: list[bytes] | FileStretch
    problem: str = ""


class Sender:
    """Finds the files that responses name. Called in any thread.

    Args:
        folders: no two have the same route.
    """

    def __init__(self, folders: Sequence[Folder]) -> None:
        self._routes = sorted(((one.route.encode(), one) for one in folders), key=lambda pair: -len(pair[0]))
        paths = [(path, one) for one in folders for path in {os.path.abspath(one.path), os.path.realpath(one.path)}]
        self._paths = [(os.fsencode(path).rstrip(b"/") + b"/", one) for path, one in paths]

    def answer(self, status: str, headers: Any, environ: dict[str, Any]) -> Handed | None:
        """What is sent instead of a response with *status* and *headers*; None if that names no file."""
        if type(status) is not str or type(headers) is not list or not all(map(_is_field, headers)):
            return None  # it is refused where a head is written
        name, value = next((one for one in headers if one[0].lower() in NAMES), ("", ""))
        if not name:
            return None
        try:
            found, last = self._open(name.lower(), value)
        except OSError as error:
            code = 404 if error.errno in ABSENT - {errno.EXDEV} else 500
            refusal = answer(code)
            outside = "it is in no folder of --x-sendfile"
            why = outside if error.errno == errno.EXDEV else error.strerror
            return Handed(refusal.status, list(refusal.fields), [refusal.body], f"{name} {value!r}: {why}")
        return _response(status, headers, environ, found, last)

    def _open(self, name: str, value: str) -> tuple[File, str]:
        """The file, and its name. Raises OSError: EXDEV if it is in none of the folders."""
        missing = OSError(errno.EXDEV, "")
        for folder, below in self._meant(name, value):
            try:
                fd, status = folder.open_once(below)
                if stat.S_ISREG(status.st_mode):
                    return File(fd, status, time.time()), os.fsdecode(below)
                os.close(fd)
                missing = OSError(errno.ENOENT, "no regular file")
            except OSError as error:
                missing = error
        raise missing

    def _meant(self, name: str, value: str) -> list[tuple[Folder, bytes]]:
        """The folder and the name in it, in each way in which the *value* can be read."""
        if not value.isprintable():
            return []
        utf8 = value.encode("utf-8", "surrogateescape")
        if name == "x-accel-redirect":
            uri = value.partition("?")[0]
            texts, prefixes = [unquote_to_bytes(_as_bytes(uri) or utf8)], self._routes
        else:
            texts, prefixes = [one for one in (_as_bytes(value), utf8) if one is not None], self._paths
        found = []
        for text in dict.fromkeys(texts):
            prefix, folder = next((pair for pair in prefixes if text.startswith(pair[0])), (b"", None))
            if folder is not None and b"\0" not in text:
                found.append((folder, text[len(prefix) :].lstrip(b"/")))
        return found


def _is_field(field: Any) -> bool:
    return type(field) is tuple and len(field) == 2 and type(field[0]) is type(field[1]) is str


def _as_bytes(text: str) -> bytes | None:
    """*text* as PEP 3333 has it, bytes in Latin-1; None if it has other characters."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return None


def _response(status: str, headers: Fields, environ: dict[str, Any], file: File, last: str) -> Handed:
    fields = [one for one in headers if one[0].lower() not in REPLACED]
    given = {name.lower(): value for name, value in fields}
    if "content-type" not in given:
        fields.append(("Content-Type", media_type(last)))
    if "etag" not in given:
        fields.append(("ETag", file.etag))
    if "last-modified" not in given and file.modified is not None:
        fields.append(("Last-Modified", http_date(file.modified)))
    if status[:3] not in ("200", "206") or environ.get("REQUEST_METHOD") not in METHODS:
        return Handed(status, [*fields, ("Content-Length", str(file.size))], file.part(0, file.size))
    asked = {name: environ[name] for name in (*CONDITIONAL, "HTTP_IF_RANGE") if type(environ.get(name)) is str}
    asked["REQUEST_METHOD"] = environ["REQUEST_METHOD"]
    return _part(part_of(asked, _validators(given, file), file.size), fields, file)


def _part(part: Part, fields: Fields, file: File) -> Handed:
    """The response with the *part* of *file* that its request asks for."""
    code, start, end = part
    if code in (WHOLE, PART):
        fields += [("Accept-Ranges", "bytes"), ("Content-Length", str(end - start))]
        if code == WHOLE:
            return Handed("200 OK", fields, file.part(start, end))
        fields.append(("Content-Range", f"bytes {start}-{end - 1}/{file.size}"))
        return Handed("206 Partial Content", fields, file.part(start, end))
    kept = [one for one in fields if not one[0].lower().startswith("content-")]
    if code == NOT_MODIFIED:
        return Handed("304 Not Modified", kept, [])
    refusal = answer(code)
    if code == OUTSIDE:
        kept.append(("Content-Range", f"bytes */{file.size}"))
    return Handed(refusal.status, [*kept, *refusal.fields], [refusal.body])


def _validators(given: dict[str, str], file: File) -> Validators:
    """The application's own, where it has set any."""
    etag, date = given.get("etag", file.etag), given.get("last-modified")
    weak = etag.startswith("W/")
    tag = etag[2:] if weak else etag
    if date is not None:
        return Validators(tag, weak, read_date(date), False)
    return Validators(tag, weak, file.modified, file.date_is_strong)
