"""The one place that chooses compiled or pure.

A build is the set of modules that serve requests: the byte work in C or in Python, and the shared text compiled or
interpreted. The pure build is taken only when the compiled modules are absent; a broken one raises, and so does one
that was compiled from another text than the one beside it, for else an edit would be without effect.
FASTWSGI_BACKEND=c|py forces one.
"""

from __future__ import annotations

import hashlib
import json
import os
from functools import lru_cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType, SimpleNamespace

TWINS = {
    "inbox": "fastwsgi.http._inbox",
    "outbox": "fastwsgi.http._outbox",
    "wire": "fastwsgi.http._wire",
    "baton": "fastwsgi.http._baton",
    "sockio": "fastwsgi.server._sockio",
    "transfer": "fastwsgi.tls._transfer",
    "monitor": "fastwsgi.server._monitor",
    "access": "fastwsgi.observe._access",
}
SHARED = ("http.framing", "http.head", "http.body", "http.wsgi", "http.shared", "http.connection", "tls.tls_wire")
RECORD = Path(__file__).with_name("_compiled_sources.json")


@lru_cache
def build(name: str) -> SimpleNamespace:
    """The modules of the build *name*, "c" or "py", as attributes: TWINS and SHARED by their names;
    `title` says in words which build it is.

    Raises:
        ImportError: it is not there, or is stale.
    """
    if name == "c":
        _check_fresh()
    modules: dict[str, ModuleType] = {key: import_module(f"{module}_{name}") for key, module in TWINS.items()}
    for module in SHARED:
        folder, _, text = module.rpartition(".")
        modules[text] = import_module(f"fastwsgi.{folder}._{text}_c" if name == "c" else f"fastwsgi.{module}")
    return SimpleNamespace(name=name, title=describe(name), **modules)


def _check_fresh() -> None:
    """Refuse modules that were compiled from a text that has changed since (setup.py writes the record)."""
    if not RECORD.exists():
        return
    compiled = json.loads(RECORD.read_text()).get(EXTENSION_SUFFIXES[0], {})
    for text, digest in compiled.items():
        source = RECORD.parent / text
        if source.exists() and hashlib.sha256(source.read_bytes()).hexdigest() != digest:
            raise ImportError(
                f"{source} was edited after it was compiled: build again (pip install -e .) or set FASTWSGI_BACKEND=py"
            )


def _choose() -> str:
    forced = os.environ.get("FASTWSGI_BACKEND", "")
    if forced not in ("", "c", "py"):
        raise ImportError(f"FASTWSGI_BACKEND is {forced!r}: it can be c or py")
    return forced or ("c" if find_spec("fastwsgi.http._connection_c") else "py")


NAME = _choose()


def current() -> SimpleNamespace:
    """The build that this process runs."""
    return build(NAME)


def describe(name: str = NAME) -> str:
    """The build in words."""
    return "compiled" if name == "c" else "pure Python"
