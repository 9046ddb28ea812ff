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
    """The same, with the ID of the request if it has one."""
    identity = environ.get("fastwsgi.request_id")
    return request_name(environ) if identity is None else f"{request_name(environ)}, request {identity}"
