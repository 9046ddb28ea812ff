"""The application under probe, the same for every server: it notes each request, and says so in its answer.

    /--records      what was noted since the last such request, as JSON
    /--fault/NAME   does what the row NAME of tests/helpers/faults does wrong
    /--does/NAME    does what the function NAME of behaviours.py does
    /next           the request that follows a probe
    anything else   reads the body, and answers with what it saw

Only the standard library: it runs in the interpreter of each server. Named apps.py, for so the commands of
benchmarks/servers.py name their module.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import threading
from pathlib import Path
from typing import Any
from urllib.parse import unquote

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]

import behaviours  # noqa: E402

from tests.helpers.faults import FAULTS  # noqa: E402

MOST = 1 << 20  # bytes of a body that are read at most
KEPT = 200  # bytes of a body that are shown
NEXT_ENDS = b"that was the next\n"

records: list[dict[str, Any]] = []
lock = threading.Lock()


def probe(environ: dict[str, Any], start_response: Any) -> Any:
    """The application."""
    path = environ.get("PATH_INFO", "")
    if path == "/--records":
        with lock:
            told = {"pid": os.getpid(), "closings": len(behaviours.closings), "records": records}
            text = json.dumps(told).encode()
            records.clear()
            behaviours.closings.clear()
        return answer(start_response, text)
    record = note(environ)
    if path.startswith("/--fault/"):
        return FAULTS[unquote(path[len("/--fault/"):])].app(start_response)
    if path.startswith("/--does/"):
        return getattr(behaviours, path[len("/--does/"):])(environ, start_response, record)
    read_body(environ, record)
    ending = NEXT_ENDS if path == "/next" else b"seen\n"
    return answer(start_response, ending, [("X-Seen", str(record["number"]))])


def answer(start_response: Any, body: bytes, fields: Any = ()) -> list[bytes]:
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body))), *fields])
    return [body]


def note(environ: dict[str, Any]) -> dict[str, Any]:
    """Keep what environ says; what is no string, as Python writes it."""
    told = {
        key: value if type(value) is str else repr(value)[:80]
        for key, value in environ.items()
        if key.startswith(("HTTP_", "wsgi.")) or key in behaviours.CGI
    }
    record = {"environ": told, "type": type(environ).__name__, "thread": threading.get_ident()}
    with lock:
        record["number"] = len(records)
        records.append(record)
    return record


def read_body(environ: dict[str, Any], record: dict[str, Any]) -> None:
    """Read as frameworks do: as far as CONTENT_LENGTH says, else to the end where the server promises one."""
    record["error"] = ""
    pieces: list[bytes] = []
    length = environ.get("CONTENT_LENGTH") or ""
    try:
        if length.isdigit():
            left = min(int(length), MOST)
            while left > 0 and (piece := environ["wsgi.input"].read(left)):
                pieces.append(piece)
                left -= len(piece)
            if left > 0:
                record["error"] = "short"
        elif environ.get("HTTP_TRANSFER_ENCODING") or environ.get("wsgi.input_terminated"):
            pieces.append(environ["wsgi.input"].read())
    except Exception as error:
        record["error"] = type(error).__name__
    body = b"".join(pieces)
    record["body"] = body[:KEPT].decode("latin-1")
    record["length"] = len(body)
    record["hash"] = hashlib.sha256(body).hexdigest()
