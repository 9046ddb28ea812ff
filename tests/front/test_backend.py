"""Which build runs: chosen in one place, never by accident, and never a stale or a broken one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import fastwsgi
from fastwsgi import backend
from fastwsgi.demo import app
from tests.helpers.processes import python_path
from tests.helpers.serving import PATIENCE

SHOW = "from fastwsgi import backend; print(backend.NAME, backend.current().name, backend.build_title())"


def run(root: Path, program: str = SHOW, **variables: str) -> str:
    """What a new process prints; or the last line of its complaint."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("FASTWSGI_")}
    environment.update(PYTHONPATH=python_path(root), PYTHONDONTWRITEBYTECODE="1", **variables)
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=root,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    return (done.stdout or done.stderr).strip().splitlines()[-1]


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the package, to be spoiled; its root."""
    source = Path(fastwsgi.__file__).parent
    shutil.copytree(source, tmp_path / "fastwsgi", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


@pytest.fixture
def compiled(copy: Path) -> Path:
    """A copy with the compiled modules."""
    if not list(copy.glob("fastwsgi/_compiled.*.so")):
        pytest.skip("there is no compiled build here")
    return copy


def test_the_compiled_build_is_the_default(compiled: Path) -> None:
    assert run(compiled) == "c c compiled"


@pytest.mark.parametrize(("name", "words"), [("c", "c c compiled"), ("py", "py py pure Python")])
def test_a_build_can_be_forced(compiled: Path, name: str, words: str) -> None:
    assert run(compiled, FASTWSGI_BACKEND=name) == words


def test_another_name_is_refused(copy: Path) -> None:
    assert run(copy, FASTWSGI_BACKEND="rust") == "ImportError: FASTWSGI_BACKEND is 'rust': it can be c or py"


def test_a_source_folder_that_is_not_compiled_says_so(copy: Path) -> None:
    show = "from fastwsgi import backend; print(f'({backend.uncompiled_source()})')"
    for path in copy.rglob("*.so"):
        path.unlink()
    assert run(copy, show) == "()"  # as a wheel without compiled modules is installed
    (copy / "setup.py").touch()
    assert run(copy, show, FASTWSGI_BACKEND="py") == "()"
    assert run(copy, show) == f"({copy} is not compiled, so the pure build runs: pip install -e . compiles it)"


def test_the_version_is_told_without_metadata(copy: Path) -> None:
    show = "import importlib.metadata as all; all.distribution = all.version = None\n"
    show += "from fastwsgi import cli; cli.main(['--version'])"
    assert run(copy, show, FASTWSGI_BACKEND="py").startswith("fastwsgi ")


def test_the_pure_build_runs_where_nothing_was_compiled(copy: Path) -> None:
    for path in copy.rglob("*.so"):
        path.unlink()
    assert run(copy) == "py py pure Python"
    assert "does not exist: compile it" in run(copy, FASTWSGI_BACKEND="c")


def test_broken_modules_are_no_reason_to_run_pure(compiled: Path) -> None:
    path = compiled / "fastwsgi" / backend.COMPILED.name  # other interpreters may have theirs beside it
    path.unlink()
    path.write_bytes(b"broken")
    assert run(compiled).startswith("ImportError")
    assert run(compiled, FASTWSGI_BACKEND="py") == "py py pure Python"


@pytest.mark.parametrize(
    "text", ["http/connection.py", "http/exchange.py", "http/_outbox_c.pyx", "http/_exchange_c.pxd"]
)
def test_an_edited_text_is_refused_until_it_is_built(compiled: Path, text: str) -> None:
    path = compiled / "fastwsgi" / text
    path.write_bytes(path.read_bytes() + b"\n# edited\n")
    complaint = run(compiled)
    assert complaint.startswith("ImportError")
    assert f"{text} was edited after it was compiled" in complaint
    assert "build again" in complaint
    assert run(compiled, FASTWSGI_BACKEND="py") == "py py pure Python"


def test_a_text_that_is_only_newer_is_no_reason(compiled: Path) -> None:
    for path in compiled.rglob("*.py"):
        os.utime(path, (2**31, 2**31))
    assert run(compiled) == "c c compiled"


def test_the_builds_have_the_same_modules_and_none_of_the_others(build: SimpleNamespace) -> None:
    other = {"c": "py", "py": "c"}[build.name]
    modules = {key: value for key, value in vars(build).items() if key not in ("name", "title", *backend.ALONE)}
    texts = [name.rpartition(".")[2] for name in backend.SHARED]
    assert set(modules) == {*backend.TWINS, *texts}
    for key in backend.TWINS:
        assert modules[key].__name__.endswith(f"_{build.name}")
    for key in texts:
        assert modules[key].__name__.endswith(f"_{key}_c") == (build.name == "c")
    for module in modules.values():
        for value in vars(module).values():
            name = getattr(value, "__module__", None) or ""
            assert not name.endswith(f"_{other}"), f"{module.__name__} reaches {name}"


def test_a_build_is_made_once(build: SimpleNamespace) -> None:
    assert backend.build(build.name) is build


@pytest.mark.parametrize("name", fastwsgi.__all__)
def test_what_the_package_offers_is_there(name: str) -> None:
    assert getattr(fastwsgi, name)


def test_what_it_does_not_offer_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'sevre'"):
        _ = fastwsgi.sevre


def test_its_exceptions_are_what_serve_raises() -> None:
    with pytest.raises(fastwsgi.SettingError):
        fastwsgi.serve(app, workers="many")
    with pytest.raises(fastwsgi.BindError):
        fastwsgi.serve(app, bind="nowhere.invalid:80")
    with pytest.raises(fastwsgi.Mistake):
        fastwsgi.serve(app, bind="127.0.0.1:0", certfile="missing.pem")
    with pytest.raises(fastwsgi.Mistake, match=r"^access_logfile missing/log: No such file or directory$"):
        fastwsgi.serve(app, bind="127.0.0.1:0", access_logfile="missing/log")


@pytest.mark.parametrize("given", [None, 5, "shop:app"])
def test_what_cannot_be_called_is_not_served(given: Any) -> None:
    with pytest.raises(TypeError, match="cannot be called: serve\\(\\) takes the WSGI application itself"):
        fastwsgi.serve(given, bind="127.0.0.1:0")
