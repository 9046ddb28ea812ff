"""Request IDs: 32 hexadecimal digits for each request, or what the client or a proxy in front has given it.

The application finds it in environ, as HTTP_X_REQUEST_ID and as fastwsgi.request_id; the logs have it, and the response
as X-Request-ID, unless the application set that field. IDs tell requests apart; that nobody can guess the next one is
not promised.
"""

from __future__ import annotations

import os
import random
import re
from typing import Any, Callable

SOUND = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
FIELD = "x-request-id"

_source = random.Random()  # not the one of the module, which applications seed
os.register_at_fork(after_in_child=_source.seed)


class RequestIds:
    """A WSGI application that gives each request its ID and calls *app*.

    Args:
        app: a WSGI application.
        accept: take the client's X-Request-ID, if it is a token of at most 128 characters, for the ID.
    """

    def __init__(self, app: Callable[..., Any], accept: bool) -> None:
        self.app = app
        self.accept = accept

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        given = environ.get("HTTP_X_REQUEST_ID", "") if self.accept else ""
        request_id = given if SOUND.fullmatch(given) else make_id()
        environ["HTTP_X_REQUEST_ID"] = environ["fastwsgi.request_id"] = request_id

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            if type(headers) is list and not any(_is_request_id(field) for field in headers):
                headers = [*headers, ("X-Request-ID", request_id)]
            return start_response(status, headers, exc_info)

        return self.app(environ, start)


def make_id() -> str:
    """128 random bits."""
    return f"{_source.getrandbits(128):032x}"


def with_request_ids(app: Callable[..., Any], settings: Any) -> Callable[..., Any]:
    """*app*, behind RequestIds if the settings ask for them."""
    return app if settings.request_id == "off" else RequestIds(app, settings.request_id == "accept")


def _is_request_id(field: Any) -> bool:
    """Whether *field* is X-Request-ID; what is no field at all is start_response's to refuse."""
    return bool(isinstance(field, tuple) and field and isinstance(field[0], str) and field[0].lower() == FIELD)
