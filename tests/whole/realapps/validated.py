"""One of the applications of this directory, or the demo, under the validator of wsgiref.

What breaks PEP 3333, in the application or in the server, raises AssertionError and becomes a 500.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any
from wsgiref.validate import validator


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The application that REALAPPS_VALIDATED names, under the validator."""
    # Told that the input ends by itself, Werkzeug calls read() without a size, which the validator allows nobody
    del environ["wsgi.input_terminated"]
    return VALIDATED(environ, start_response)


def load(target: str) -> Any:
    module, _, attribute = target.partition(":")
    return validator(getattr(import_module(module), attribute))


VALIDATED = load(os.environ["REALAPPS_VALIDATED"])
