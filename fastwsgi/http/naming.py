"""The name of a request in the error log: method and path, without the query, which may hold tokens and passwords.

The access log shows whole targets where its format says so: the operator has asked for them, and knows where they go.
"""

from __future__ import annotations

from typing import Any


def request_name(environ: dict[str, Any]) -> str:
    """A name such as "GET /reset?..."; "?" stands for a key that the application has removed from *environ*."""
    path, mark, _ = str(environ.get("RAW_URI", "?") or "?").partition("?")
    return f"{environ.get('REQUEST_METHOD', '?')} {path + '?...' if path and mark else path or '?'}"


def full_name(environ: dict[str, Any]) -> str:
    """request_name() and the identifier of the request, if it has one; "?" where that fails.

    The values may be the application's by now, and run its code.
    """
    try:
        name = request_name(environ)
        if "fastwsgi.request_id" in environ:
            name += f", request {environ['fastwsgi.request_id']}"
    except BaseException:
        return "?"
    return name
