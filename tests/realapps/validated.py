"""The applications of this directory, and the demo, under the validator of wsgiref: one attribute each.

What breaks PEP 3333, here or in the server, raises AssertionError and becomes a 500.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any
from wsgiref.validate import validator

MODULES = {
    "flask": "flask_app:app",
    "django": "shop.wsgi:application",
    "falcon": "falcon_app:app",
    "bottle": "bottle_app:app",
    "demo": "fastwsgi.demo:app",
}


def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """The application that REALAPPS_VALIDATED names, between two validators' worth of suspicion."""
    # Told that the input ends by itself, Werkzeug calls read() without a size, which the validator allows nobody
    environ["wsgi.input_terminated"] = False
    return VALIDATED(environ, start_response)


def load(name: str) -> Any:
    module, _, attribute = MODULES[name].partition(":")
    return validator(getattr(import_module(module), attribute))


VALIDATED = load(os.environ["REALAPPS_VALIDATED"])
