"""Whether this interpreter runs one thread at a time, by a global lock (the GIL), or all at once (PEP 703)."""

from __future__ import annotations

import sys

HAS_GIL: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
