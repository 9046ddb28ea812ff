"""The peers' virtual environment: made once, from requirements-peers.txt, one package after the other.

A package that does not install is left out; the run names it and goes on without it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Iterable, Mapping
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements-peers.txt")
FRAMEWORKS = Path(__file__).with_name("requirements-frameworks.txt")

VERSIONS = """
import json, sys
from importlib.metadata import PackageNotFoundError, version
found = {}
for name in sys.argv[1:]:
    try:
        found[name] = version(name)
    except PackageNotFoundError:
        pass
print(json.dumps(found))
"""


def prepare(folder: Path, distributions: Iterable[str], pinned: Mapping[str, str] | None = None) -> str:
    """Install what is missing of the distributions into the environment; returns its interpreter.

    Args:
        pinned: their versions, where they are not those of requirements().
    """
    python = folder.absolute() / "bin" / "python"
    if not python.exists():
        print(f"making the peers' environment in {folder}", file=sys.stderr)
        venv.create(folder, with_pip=True)
    pinned = pinned or requirements()
    present = versions(str(python), pinned)
    for name in distributions:
        if present.get(name) != pinned[name]:
            install(str(python), f"{name}=={pinned[name]}")
    return str(python)


def frameworks(folder: Path) -> str:
    """Install what the framework profiles import into a folder, for the path of every server: the folder.

    Exits if that fails.
    """
    said = folder / FRAMEWORKS.name
    if not said.exists() or said.read_text() != FRAMEWORKS.read_text():
        print(f"installing the frameworks in {folder}", file=sys.stderr)
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--upgrade",
               "--target", str(folder), "-r", str(FRAMEWORKS)]
        if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
            sys.exit("the frameworks do not install: leave their profiles out by --profiles")
        said.write_text(FRAMEWORKS.read_text())
    return str(folder.absolute())


def requirements(path: Path = REQUIREMENTS) -> dict[str, str]:
    """The pinned version of each distribution."""
    lines = (line.partition("#")[0].strip() for line in path.read_text().splitlines())
    return dict(line.split("==") for line in lines if line)


def install(python: str, requirement: str) -> None:
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
    if subprocess.run(pip, stdout=sys.stderr).returncode != 0:
        print(f"{requirement} does not install", file=sys.stderr)


def versions(python: str, distributions: Iterable[str]) -> dict[str, str]:
    """The versions of those distributions that an interpreter has."""
    done = subprocess.run([python, "-c", VERSIONS, *distributions], stdout=subprocess.PIPE, check=True)
    found: dict[str, str] = json.loads(done.stdout)
    return found
