"""What an object is: an application, a factory, an ASGI application, or none of these."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from typing import Any

import pytest

from fastwsgi.application import recognise


class Plain:
    def __call__(self, environ: Any, start_response: Any) -> Any: ...


class Response:
    """A class as PEP 3333 allows it: each instance is the response to a request."""

    def __init__(self, environ: Any, start_response: Any) -> None: ...

    def __iter__(self) -> Iterator[bytes]: ...


class Configured:
    def __init__(self, name: str, debug: bool = False) -> None: ...


class Asgi:
    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...


def function(environ: Any, start_response: Any) -> Any: ...


@functools.wraps(lambda request: None)
def wrapper(*args: Any, **kwargs: Any) -> Any: ...


def partly(config: Any, environ: Any, start_response: Any) -> Any: ...


def create(config: Any = None, debug: bool = False) -> Any: ...


def create_with(config: Any) -> Any: ...


def environ_only(environ: Any) -> Any: ...


def one_word(*, config: Any) -> Any: ...


async def coroutine(environ: Any, start_response: Any) -> Any: ...


async def asgi(scope: Any, receive: Any, send: Any) -> None: ...


def asgi_2(scope: Any) -> Any: ...


@pytest.mark.parametrize(
    "app",
    [
        function,
        Plain(),
        Plain().__call__,
        Response,
        wrapper,
        functools.partial(partly, {}),
        lambda e, s=None: [],
        max,
    ],
)
def test_applications(app: object) -> None:
    assert recognise.objection(app, "m:a") is None


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        (None, "is a NoneType, not a WSGI application: it cannot be called"),
        ([], "is a list, not a WSGI application: it cannot be called"),
        (1, "is an int, not a WSGI application: it cannot be called"),
        (os, "is a module: name an application, which is an object in one, behind the colon"),
        (create, "looks like a factory; use --factory"),
        (lambda: None, "looks like a factory; use --factory"),
        (create_with, "takes (config), so it looks like a factory; give its arguments: 'm:a(...)'"),
        (one_word, "takes (config), so it looks like a factory; give its arguments: 'm:a(...)'"),
        (
            partly,
            "takes (config, environ, start_response); a WSGI application takes (environ, start_response)",
        ),
        (Plain, "is a class, not an application; name an instance of it, or have one made: 'm:a()'"),
        (Configured, "is a class, not an application; name an instance of it, or have one made: 'm:a(...)'"),
        (coroutine, "is an async function; a WSGI application is a plain one"),
    ],
)
def test_other_objects(app: object, reason: str) -> None:
    assert recognise.objection(app, "m:a") == reason


@pytest.mark.parametrize("app", [asgi, asgi_2, Asgi(), Asgi().__call__, functools.partial(asgi)])
def test_asgi_applications(app: object) -> None:
    assert str(recognise.objection(app, "m:a")).startswith(
        "is an ASGI application; serve it with an ASGI server"
    )


def test_asgi_of_a_django_project() -> None:
    hint = "is an ASGI application; did you mean shop.wsgi:application?"
    assert recognise.objection(asgi, "shop.asgi:application") == hint


class Called:
    def __call__(self, environ: object, start_response: object) -> list[bytes]:
        return []


class CalledWithMore:
    def __call__(self, environ: object, start_response: object, *, more: object) -> list[bytes]:
        return []


async def two_async(environ: object, start_response: object) -> None: ...


SHAPES = [
    *(Called(), CalledWithMore(), Called, Called().__call__, two_async, dict, print, len, list, lambda a: a),
    *(lambda a, b: [], lambda a, b=1: [], lambda a, *b: [], lambda a, b, **c: [], lambda scope, receive, send: None),
]


@pytest.mark.parametrize("app", SHAPES)
def test_what_is_plainly_an_application_is_one_by_its_signature(app: Any) -> None:
    if recognise.takes_two(app):
        shape = recognise.Shape.of(app)
        assert shape is not None
        assert shape == recognise.Shape(shape.required[:2], 2, ())
        assert not recognise.is_async(app)


def test_the_plain_ones_are_known() -> None:
    assert [recognise.takes_two(app) for app in (Called(), Called, lambda a, b: [])] == [True, False, True]
