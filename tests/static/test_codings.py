"""The coding that a client gets (RFC 9110 12.5.3)."""

from __future__ import annotations

import pytest

from fastwsgi.static.codings import Choice

SIZES = {"zstd": 30, "br": 20, "gzip": 40, "identity": 100}


@pytest.mark.parametrize(
    ("accepted", "coding"),
    [
        (None, "identity"),
        ("", "identity"),
        ("gzip", "gzip"),
        ("gzip, deflate, br, zstd", "br"),
        ("gzip, zstd", "zstd"),
        ("GZip;Q=0.5", "gzip"),
        ("x-gzip", "gzip"),
        ("br;q=0.5, gzip", "gzip"),
        ("br;q=0.001, gzip;q=0", "br"),
        ("br;q=0, *", "zstd"),
        ("*", "br"),
        ("*;q=0", None),
        ("*;q=0, gzip;q=0.1", "gzip"),
        ("*;q=0, identity", "identity"),
        ("identity", "identity"),
        ("identity;q=0", None),
        ("identity;q=0, gzip", "gzip"),
        ("identity;q=0.5, gzip;q=0.4", "identity"),
        ("identity, gzip", "gzip"),
        ("deflate, compress", "identity"),
        ("gzip;q=2, br;q=x, zstd;q=-1", "identity"),  # malformed members mean nothing
        ("gzip;level=9, , br ;q=1.000 ", "br"),
        ("gzip;q=1.001", "identity"),
        ("gzip" + " " * 8000, "gzip"),
        ("a," * 4000 + "gzip", "gzip"),
    ],
)
def test_choice(accepted: str | None, coding: str | None) -> None:
    assert Choice().choose(accepted, SIZES) == coding


def test_only_what_is_there_is_chosen() -> None:
    assert Choice().choose("br, gzip", {"identity": 1}) == "identity"
    assert Choice().choose("br, identity;q=0", {"identity": 1}) is None
