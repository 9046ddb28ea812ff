"""The C programs of the benchmark, compiled where they are needed: the floor (floor.c) and the load (load.c)."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
BUILD = HERE.parent / "build" / "benchmarks"
COMPILER = shutil.which("cc")
COMPILE = ("cc", "-O2", "-Wall", "-Wextra")


def program(name: str) -> str:
    """The path of the program made from *name*.c, which is compiled if it changed. Raises OSError if that fails."""
    source, made = HERE / f"{name}.c", BUILD / name
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        BUILD.mkdir(parents=True, exist_ok=True)
        fresh = f"{made}.{os.getpid()}"
        try:
            subprocess.run([*COMPILE, "-o", fresh, str(source)], check=True)
        except subprocess.CalledProcessError as error:
            raise OSError(str(error)) from None
        os.replace(fresh, made)
    return str(made)
