"""What the error log calls a request: its method and path, and not its query, which may hold tokens and passwords.

The access log shows whole targets, as its format says: the operator asks for that one, and knows where it goes.
"""

from __future__ import annotations

from typing import Any


def request_name(environ: dict[str, Any]) -> str:
    """Such as "GET /reset?..."; "?" stands for what the application has removed from *environ*."""
    path, mark, _ = str(environ.get("RAW_URI", "?") or "?").partition("?")
    return f"{environ.get('REQUEST_METHOD', '?')} {path + '?...' if path and mark else path or '?'}"
