"""Request IDs: 32 hexadecimal digits for each request, or the ID that the client or a proxy has assigned.

The application finds the ID in environ, as HTTP_X_REQUEST_ID and fastwsgi.request_id; the logs show it; the response
has it as X-Request-ID, unless the application has set that field. IDs distinguish requests, but the next one can be
guessed.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fastwsgi import forks

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Callable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

    from fastwsgi.settings.settings import Settings

VALID = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,128}")
FIELD = "x-request-id"


class RequestIds:
    """A WSGI application that gives each request its ID and calls another application.

    Args:
        app: the other application.
        accept: use the client's X-Request-ID, if it is a token of at most 128 characters.

    Attributes:
        show: called with each ID.
    """

    def __init__(self, app: WSGIApplication, accept: bool) -> None:
        self.app = app
        self.ids = Ids(accept)
        self.show: Callable[[str], None] = lambda request_id: None

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        request_id = self.ids.of(environ)
        environ["HTTP_X_REQUEST_ID"] = environ["fastwsgi.request_id"] = request_id
        self.show(request_id)

        def start(
            status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
        ) -> Callable[[bytes], object]:
            if type(headers) is list and not any(_is_request_id(field) for field in headers):
                headers = [*headers, ("X-Request-ID", request_id)]
            return start_response(status, headers, exc_info)

        return self.app(environ, start)


class Ids:
    """The IDs of the requests of one loop.

    Args:
        accept: use the client's X-Request-ID, if it is a token of at most 128 characters.
    """

    def __init__(self, accept: bool) -> None:
        from random import Random

        self._accept = accept
        self._source = Random()  # not the module's own, which applications seed
        forks.hold(self)

    def of(self, environ: WSGIEnvironment) -> str:
        """The ID of the request with that *environ*: the client's, if it is accepted and sound, or 128 random bits."""
        given = environ.get("HTTP_X_REQUEST_ID", "") if self._accept else ""
        return given if VALID.fullmatch(given) else f"{self._source.getrandbits(128):032x}"

    def disown(self) -> None:
        """In a forked child, make other IDs than the parent."""
        self._source.seed()


def with_request_ids(app: WSGIApplication, settings: Settings) -> WSGIApplication:
    """*app*, behind RequestIds if the settings ask for them."""
    return app if settings.request_id == "off" else RequestIds(app, settings.request_id == "accept")


def _is_request_id(field: object) -> bool:
    """Whether *field* is X-Request-ID; start_response() refuses what is not a field at all."""
    return bool(isinstance(field, tuple) and field and isinstance(field[0], str) and field[0].lower() == FIELD)
