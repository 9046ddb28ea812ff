"""Names of files, routes and expressions, as tables."""

from __future__ import annotations

import re
import time

import pytest

from fastwsgi.static.media_types import TYPES, media_type
from fastwsgi.static.names import HASHED, Immutable, Mount, file_name, read_mount

NAMES = ["a", "a.b/c", "a..b", "a;b", "a...b", ".well-known/x", "a/.well-known", "~a "]
MANY = ["(", "(a+)+", "(a|b)*", "(a){2}", "(a?){9}", "a*a*a*a*b", "a?" * 24, "(a|a)" * 24, "a{1,9}" * 4]
WRONG = ["", "=", "/a", "/a=", "a=b", "=b", "//a=b", "/a//b=c", "/../a=b", "/a?=b", "/a b=c", "/%=b", "/é=a", "/a\\=b"]
TAKEN = [
    *(r".*\.[0-9a-f]{8,}\.(js|css|woff2?)$", r"-[A-Za-z0-9_-]{8}\.js", r"(?:\.|-)\w{20}\.", r"[*+(]+?\(\+", "(?i)a+"),
]


@pytest.mark.parametrize("below", NAMES)
def test_names_that_are_served(below: str) -> None:
    assert file_name(below) == below.encode()


def test_names_are_bytes() -> None:
    assert file_name("\xc3\xa9\xff") == b"\xc3\xa9\xff"


@pytest.mark.parametrize(
    "below",
    [
        *(".", "..", ".a", "a/.", "a/..", "a/../b", "a/.git/b", "...", "/a", "a//b", "a/./b", "//"),
        *(".well-known2", ".well-known/.x", ".well-know", "a/.well-known.", "a\\b", "..\\b", "a\0b"),
    ],
)
def test_names_that_are_not(below: str) -> None:
    assert file_name(below) is None


@pytest.mark.parametrize(
    ("text", "mount"),
    [
        ("/static=/srv", Mount("/static/", "/srv")),
        ("/static/=srv/x=y", Mount("/static/", "srv/x=y")),
        ("/=.", Mount("/", ".")),
        ("/.well-known/acme-challenge=a", Mount("/.well-known/acme-challenge/", "a")),
    ],
)
def test_mounts(text: str, mount: Mount) -> None:
    assert read_mount(text) == mount


@pytest.mark.parametrize("text", WRONG)
def test_what_is_no_mount(text: str) -> None:
    with pytest.raises(ValueError, match="ROUTE=DIR"):
        read_mount(text)


def test_django_s_hashed_names() -> None:
    immutable = Immutable(HASHED)
    assert all(map(immutable, ["base.27e20196a850.css", "a.b.27e20196a850.js", "LICENSE.27e20196a850"]))
    others = ["base.css", "27e20196a850.css", "a.27e20196a85.css", "a.27E20196A850.css", "a.27e20196a850.min.js", "a"]
    assert not any(map(immutable, others))
    assert not Immutable("")("anything")


@pytest.mark.parametrize("text", MANY)
def test_expressions_that_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expression"):
        Immutable(text)


@pytest.mark.parametrize("text", TAKEN)
def test_expressions_that_are_taken(text: str) -> None:
    Immutable(text)


@pytest.mark.parametrize("text", ["a*a*a*b", ".*.*.*b", "(a|ab|b)?" * 2 + "a*a*d"])
def test_the_slowest_that_is_taken_ends(text: str) -> None:
    began = time.process_time()
    assert not Immutable(text)("a" * 127 + "c")
    assert time.process_time() - began < 30


def test_media_types() -> None:
    for name, found in {
        "a.css": "text/css; charset=utf-8",
        "a.b/c.JS": "text/javascript; charset=utf-8",
        "a.svg": "image/svg+xml",
        "a.js.map": "application/json",
        "x.woff2": "font/woff2",
        **dict.fromkeys(("a", "a.", "js", "a.b/c", "a.nothing"), "application/octet-stream"),
    }.items():
        assert media_type(name) == found
    assert all(re.fullmatch(r"[a-z]+/[a-z0-9.+-]+(; charset=utf-8)?", found) for found in TYPES.values())
