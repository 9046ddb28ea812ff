"""An application that answers with its environ."""

from __future__ import annotations

import hashlib
from typing import Any


def environ_app(environ: dict[str, Any], start_response: Any) -> Any:
    """Says what environ says, line by line; for POST, how much came and its hash."""
    if environ["REQUEST_METHOD"] == "POST":
        data = environ["wsgi.input"].read()
        text = f"{len(data)} {hashlib.sha256(data).hexdigest()}"
    else:
        text = "\n".join(f"{key}={value!r}" for key, value in environ.items() if isinstance(value, str))
    start_response("200 OK", [])
    return [text.encode("latin-1")]


def entries(body: bytes) -> dict[str, str]:
    """What environ_app said."""
    return dict(line.split("=", 1) for line in body.decode("latin-1").splitlines())
