"""The files of TLS: certificates, keys and client authorities, read into memory whole, and watched.

So the contents that were checked are those that are used, whatever happens to the files meanwhile, and they can be
passed to processes that may not read the files.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from fastwsgi.mistakes import UsageError, WrongValue
from fastwsgi.originals import os
from fastwsgi.records import NamedTuple
from fastwsgi.stamps import Stamp, stamp_of

if TYPE_CHECKING:
    from fastwsgi.settings.settings import Settings


class Pair(NamedTuple):
    """A certificate with its chain, and its key, in PEM; both may be in the same text."""

    certificate: bytes
    key: bytes


class Material(NamedTuple):
    """All that contexts are made of, apart from the settings."""

    pairs: tuple[Pair, ...]
    authorities: bytes  # PEM; b"" for none


def check(settings: Settings) -> None:
    """Refuse settings that do not go together. Raises Mistake."""
    if not settings.certfile:
        for name in ("keyfile", "ca_certs", "cert_reqs", "ssl_min_version", "ciphers"):
            setting = getattr(type(settings), name)
            if getattr(settings, name) != setting.default:
                raise WrongValue(setting.flag, "is for TLS, and there is no certificate: give --certfile")
    elif len(settings.keyfile) not in (0, len(settings.certfile)):
        raise UsageError(
            f"{len(settings.certfile)} --certfile and {len(settings.keyfile)} --keyfile: "
            "give a key for each certificate, in the same order, or have all keys in the files of the certificates"
        )
    elif settings.ca_certs and settings.cert_reqs == "none":
        raise WrongValue("--ca-certs", "is for certificates of clients: say --cert-reqs optional or required, too")
    elif settings.cert_reqs != "none" and not settings.ca_certs:
        raise WrongValue(
            "--cert-reqs", f"{settings.cert_reqs}: name the file of the authorities to trust with --ca-certs"
        )


def paths(settings: Settings) -> list[tuple[str, str]]:
    """Each file with the flag that names it."""
    named = [*(("--certfile", path) for path in settings.certfile), *(("--keyfile", path) for path in settings.keyfile)]
    return named + ([("--ca-certs", settings.ca_certs)] if settings.ca_certs else [])


def read(settings: Settings, directory: str = "") -> Material:
    """The contents of the files that certfile, keyfile and ca_certs name, relative to *directory*. Raises Mistake."""
    found = [_read(flag, os.path.join(directory, path)) for flag, path in paths(settings)]
    count = len(settings.certfile)
    keys = found[count : count + len(settings.keyfile)] or found[:count]
    return Material(tuple(map(Pair, found[:count], keys)), found[-1] if settings.ca_certs else b"")


def _read(flag: str, path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise WrongValue(flag, f"{path}: {error.strerror}") from None


def encode(material: Material) -> str:
    """*material* as one line of text."""
    pairs = [[part.decode("latin-1") for part in pair] for pair in material.pairs]
    return json.dumps([pairs, material.authorities.decode("latin-1")])


def decode(line: str) -> Material:
    """The material from which encode() made *line*."""
    pairs, authorities = json.loads(line)
    found = (Pair(*(part.encode("latin-1") for part in pair)) for pair in pairs)
    return Material(tuple(found), authorities.encode("latin-1"))


@contextmanager
def as_file(data: bytes) -> Iterator[str]:
    """A path at which OpenSSL, which reads only files, finds *data*; on Linux in memory, to keep keys off disks."""
    fd = os.memfd_create("fastwsgi") if hasattr(os, "memfd_create") else -1
    path = f"/proc/self/fd/{fd}"
    try:
        if fd >= 0 and os.path.exists(path):
            with open(fd, "wb", closefd=False) as file:
                file.write(data)
            yield path
        else:
            import tempfile

            with tempfile.NamedTemporaryFile(prefix="fastwsgi-") as file:  # its mode is 0600
                file.write(data)
                file.flush()
                yield file.name
    finally:
        if fd >= 0:
            os.close(fd)


class Watch:
    """Notices when files have changed and come to rest, since the files of a pair are replaced one after the other.

    Args:
        named: the paths of the files.
    """

    def __init__(self, named: list[str]) -> None:
        self._paths = named
        self._known = self._last = self._stamps()

    def look(self) -> bool:
        """Whether the files have changed since this was last true; they must be the same at two looks in a row."""
        before, self._last = self._last, self._stamps()
        if self._last == self._known or self._last != before:
            return False
        self._known = self._last
        return True

    def _stamps(self) -> list[Stamp]:
        return [stamp_of(path) for path in self._paths]
