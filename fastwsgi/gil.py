"""Whether this interpreter runs one thread at a time, by a global lock (the GIL), or all at once (PEP 703)."""

from __future__ import annotations

import sys


def is_on() -> bool:
    """Whether there is a GIL now: an interpreter that can do without switches it on for a module that cannot."""
    return bool(getattr(sys, "_is_gil_enabled", lambda: True)())


HAS_GIL = is_on()
"""Whether there was one when the server was imported."""
