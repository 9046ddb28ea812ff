"""The folder of files that servers are given for /static, with what must not come out of it."""

from __future__ import annotations

import gzip
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "build" / "probe" / "static"
TEXT = b"0123456789"
SCRIPT = b"let a = 1;\n" * 500
SECRET = b"not for clients\n"


def folder() -> str:
    """The folder for /static, made where it is not there yet; beside it, and linked from it, is a secret."""
    if not FOLDER.exists():
        FOLDER.mkdir(parents=True)
        (FOLDER.parent / "secret.txt").write_bytes(SECRET)
        contents = {"a.txt": TEXT, "a.js": SCRIPT, "a.js.gz": gzip.compress(SCRIPT), ".env": SECRET}
        for name, content in contents.items():
            (FOLDER / name).write_bytes(content)
        (FOLDER / "link.txt").symlink_to("../secret.txt")
    return str(FOLDER)
