"""Looks into an sdist and a wheel: `python ci/distributions.py SDIST WHEEL`; what is amiss makes the exit code 1.

The sdist builds and can be tested, so it has every text and no generated one. The wheel has the compiled modules with
the record of what they were made from, and none of their sources.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.version import VERSION

RECORD = "fastwsgi/_compiled_sources.json"
LARGEST = 1_500_000  # bytes of a wheel: one that was not stripped has more


def tracked() -> set[str]:
    """What belongs to the project."""
    listed = subprocess.run(["git", "ls-files", "-z"], stdout=subprocess.PIPE, check=True, text=True)
    return {name for name in listed.stdout.split("\0") if name}


def faults_of_sdist(path: Path) -> Iterator[str]:
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    ours = tracked()
    yield from (f"{name} is missing" for name in ours - names if not name.startswith("."))
    yield from (f"{name} does not belong there" for name in names - ours if name.endswith((".c", ".so", ".pyc")))


def faults_of_wheel(path: Path) -> Iterator[str]:
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        metadata = archive.read(f"fastwsgi_server-{VERSION}.dist-info/METADATA").decode()
        record = json.loads(archive.read(RECORD)) if RECORD in names else {}
    if not any(name.startswith("fastwsgi/_compiled.") for name in names):
        yield "fastwsgi/_compiled is missing"
    wanted = (".py", ".typed", ".css", ".js")
    package = {name for name in tracked() if name.startswith("fastwsgi/") and name.endswith(wanted)}
    yield from (f"{name} is missing" for name in package - set(names))
    yield from (f"{name} does not belong there" for name in names if name.endswith((".c", ".pyx", ".pxd")))
    yield from (f"{name} does not belong there" for name in names if not name.startswith("fastwsgi"))
    if len(record) != 1:
        yield f"{RECORD} is of {len(record)} interpreters"
    if path.stat().st_size > LARGEST:
        yield f"it has {path.stat().st_size} bytes, over {LARGEST}"
    yield from (f"METADATA lacks {line!r}" for line in METADATA if f"{line}\n" not in metadata)


METADATA = ("Name: fastwsgi-server", f"Version: {VERSION}", "License-Expression: MIT", "Requires-Python: >=3.9")


def main() -> int:
    sdist, wheel = map(Path, sys.argv[1:])
    faults = [f"{sdist.name}: {fault}" for fault in faults_of_sdist(sdist)]
    faults += [f"{wheel.name}: {fault}" for fault in faults_of_wheel(wheel)]
    print("\n".join(faults) or f"{sdist.name} and {wheel.name} ({wheel.stat().st_size} bytes) have what they must")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
