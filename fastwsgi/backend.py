"""The builds, compiled and pure, and the one place that chooses between them.

A build is the set of modules that serve requests: the byte work in C or in Python, and the shared text compiled or
interpreted. The pure build is chosen only where the compiled modules are absent. A broken compiled module raises an
exception, and so does one whose source was edited after it was compiled: otherwise the edit would have no effect.
FASTWSGI_BACKEND=c|py forces one.
"""

from __future__ import annotations

import binascii
import json
import sys
from functools import lru_cache
from importlib import import_module
from importlib.machinery import EXTENSION_SUFFIXES, ExtensionFileLoader, ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

from fastwsgi.originals import os

TWINS = {
    "guard": "fastwsgi._guard",
    "inbox": "fastwsgi.http._inbox",
    "outbox": "fastwsgi.http._outbox",
    "wire": "fastwsgi.http._wire",
    "turn": "fastwsgi.http._turn",
    "meter": "fastwsgi.http._meter",
    "sockio": "fastwsgi.server._sockio",
    "batch": "fastwsgi.server._batch",
    "transfer": "fastwsgi.tls._transfer",
    "monitor": "fastwsgi.server._monitor",
    "access": "fastwsgi.observe._access",
}
ALONE = {  # without a twin
    "scanner": "fastwsgi.http._scanner_c",  # in the pure build every head goes to llhttp
    "openat2": "fastwsgi.static._openat2_c",  # static/beneath.py does the same by other calls
    "deferral": "fastwsgi.process._deferral_c",  # Python itself cannot ask for that
}
SHARED = (
    "http.framing",
    "http.head",
    "http.body",
    "http.pace",
    "http.presence",
    "http.routes",
    "http.request_reader",
    "http.service",
    "http.early_hints",
    "http.exchange",
    "http.connection",
    "tls.client_hello",
    "tls.tls_wire",
)
RECORD = Path(__file__).with_name("_compiled_sources.json")
COMPILED = Path(__file__).with_name(f"_compiled{EXTENSION_SUFFIXES[0]}")


class CompiledFinder:
    """Finds the compiled modules, which are all in one file; each has an initialisation function of its own there."""

    @staticmethod
    def find_spec(name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if not (name.startswith("fastwsgi.") and name.endswith("_c") and COMPILED.exists()):
            return None
        return spec_from_file_location(name, COMPILED, loader=ExtensionFileLoader(name, str(COMPILED)))


sys.meta_path.insert(0, CompiledFinder)


@lru_cache
def build(name: str) -> SimpleNamespace:
    """The build *name*, "c" or "py", with the modules of TWINS and SHARED by their short names as attributes.

    Its attribute title names it in words; those of ALONE are None in the pure build.

    Raises:
        ImportError: it is absent, broken or stale.
    """
    if name == "c":
        _check_fresh()
    modules: dict[str, ModuleType] = {key: import_module(f"{module}_{name}") for key, module in TWINS.items()}
    for module in SHARED:
        folder, _, text = module.rpartition(".")
        modules[text] = import_module(f"fastwsgi.{folder}._{text}_c" if name == "c" else f"fastwsgi.{module}")
    alone = {key: import_module(module) if name == "c" else None for key, module in ALONE.items()}
    return SimpleNamespace(name=name, title=build_title(name), **alone, **modules)


def _check_fresh() -> None:
    """Refuse modules that are absent, or compiled from other sources than these, by the record that setup.py writes."""
    if not COMPILED.exists():
        raise ImportError(
            f"{COMPILED} does not exist: compile it (pip install -e .) or do without FASTWSGI_BACKEND=c"
        )
    if not RECORD.exists():
        return
    compiled = json.loads(RECORD.read_text()).get(EXTENSION_SUFFIXES[0], {})
    for text, checksum in compiled.items():
        source = RECORD.parent / text
        if source.exists() and binascii.crc32(source.read_bytes()) != checksum:
            raise ImportError(
                f"{source} was edited after it was compiled: build again (pip install -e .) or set FASTWSGI_BACKEND=py"
            )


def _choose() -> str:
    forced = os.environ.get("FASTWSGI_BACKEND", "")
    if forced not in ("", "c", "py"):
        raise ImportError(f"FASTWSGI_BACKEND is {forced!r}: it can be c or py")
    return forced or ("c" if COMPILED.exists() else "py")


NAME = _choose()


def uncompiled_source() -> str:
    """A line for those who run a source folder as it is, and may think that it is what they installed; else "".

    `python -m fastwsgi` takes the folder that it is given in before what is installed.
    """
    folder = Path(__file__).resolve().parent.parent
    if NAME == "c" or os.environ.get("FASTWSGI_BACKEND") or not (folder / "setup.py").is_file():
        return ""
    return f"{folder} is not compiled, so the pure build runs: pip install -e . compiles it"


def current() -> SimpleNamespace:
    """The build that this process runs."""
    return build(NAME)


def build_title(name: str = NAME) -> str:
    """The build *name* in words."""
    return "compiled" if name == "c" else "pure Python"
