"""`--check`: one request to the application, without a server.

It is called through `wsgiref.validate`, which holds both sides to PEP 3333. Its response is read, up to a bound because
it may stream without end, and closed.
"""

from __future__ import annotations

import io
import itertools
import sys
import traceback
from typing import TYPE_CHECKING, Callable
from wsgiref import validate
from wsgiref.util import FileWrapper, setup_testing_defaults

from fastwsgi.leaving import Contained
from fastwsgi.mistakes import Mistake, summary, user_traceback
from fastwsgi.version import SOFTWARE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed import OptExcInfo
    from _typeshed.wsgi import WSGIApplication, WSGIEnvironment

    from fastwsgi.settings.settings import Settings

MOST_CHUNKS = 1000


def call_once(app: WSGIApplication, name: str, settings: Settings) -> str:
    """The status of the response of *app* to `GET /`.

    Args:
        app: the application, which is called.
        name: its name in messages.
        settings: those that it would be served with.

    Raises:
        Mistake: the application raises, breaks the rules of PEP 3333, or answers 5xx.
    """
    answered: list[str] = []

    def start_response(
        status: str, headers: list[tuple[str, str]], exc_info: OptExcInfo | None = None
    ) -> Callable[[bytes], None]:
        answered.append(status)
        return lambda data: None

    try:
        with Contained():
            _exhaust(validate.validator(app)(request_environ(settings), start_response))
    except AssertionError as error:
        if traceback.extract_tb(error.__traceback__)[-1].filename != validate.__file__:
            raise _failure(name, error) from None
        raise Mistake(f"{name} breaks PEP 3333: {summary(error)}", user_traceback(error)) from None
    except (Exception, SystemExit) as error:
        raise _failure(name, error) from None
    status = answered[-1]
    if status.startswith("5"):
        raise Mistake(f"{name} answers GET / with {status}; its log should say why")
    return status


def request_environ(settings: Settings) -> WSGIEnvironment:
    """The environ of `GET /` as the server would make it for a local client."""
    environ: WSGIEnvironment = {
        "REQUEST_METHOD": "GET",
        "SCRIPT_NAME": settings.root_path,
        "PATH_INFO": "/",
        "QUERY_STRING": "",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": SOFTWARE,
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "127.0.0.1:8000",
        "HTTP_ACCEPT": "*/*",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.file_wrapper": FileWrapper,
        "wsgi.input_terminated": True,
    }
    setup_testing_defaults(environ)
    return environ


def _exhaust(result: Iterable[bytes]) -> None:
    try:
        for _ in itertools.islice(result, MOST_CHUNKS):
            pass
    finally:
        if isinstance(result, validate.IteratorWrapper):  # as is all that the validator gives
            result.close()


def _failure(name: str, error: BaseException) -> Mistake:
    return Mistake(f"{name} raised on GET /: {summary(error)}", user_traceback(error))
