"""From MODULE:ATTR to the application: what is found, and what is said when it is not."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable

import pytest

from fastwsgi.application.loader import Target, load, parse
from fastwsgi.mistakes import Mistake, UsageError
from fastwsgi.settings.settings import Settings

HELLO = """
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"hello"]
"""

Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Write]:
    """Give a function that writes a file of a new project; the project is the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)

    def write(name: str, text: str = "") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def fails(text: str, **settings: object) -> Mistake:
    """Load what cannot be loaded and return the complaint, which is one line."""
    with pytest.raises(Mistake) as caught:
        load(text, Settings(**settings))
    assert "\n" not in str(caught.value)
    return caught.value


def name_of(app: Any) -> str:
    return f"{app.__module__}.{app.__qualname__}"


# What is found


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("shop", Target("shop")),
        ("shop.wsgi", Target("shop.wsgi")),
        ("shop:app", Target("shop", ("app",))),
        ("shop:site.app", Target("shop", ("site", "app"))),
        ("shop:create()", Target("shop", ("create",), True)),
        ("shop: create('a', 1)", Target("shop", ("create",), True, ("a", 1))),
        ("shop:create(debug=True)", Target("shop", ("create",), True, (), {"debug": True})),
        ("shop:site.create({'a': [None]})", Target("shop", ("site", "create"), True, ({"a": [None]},))),
    ],
)
def test_parse(text: str, target: Target) -> None:
    assert parse(text) == target


@pytest.mark.parametrize("text", ["", ":app", ".shop", "shop..wsgi"])
def test_parse_wants_a_module(text: str) -> None:
    with pytest.raises(UsageError, match="MODULE:ATTR"):
        parse(text)


@pytest.mark.parametrize("rest", ["", "1", "app[0]", "a b", "f(x)", "f(**{})", "f()()", "f(", "f().app"])
def test_parse_wants_a_name_or_a_call_after_the_colon(rest: str) -> None:
    with pytest.raises(UsageError, match="it may be a name"):
        parse(f"shop:{rest}")


@pytest.mark.parametrize("name", ["application", "app"])
def test_bare_module(write: Write, name: str) -> None:
    write("site_a.py", HELLO.replace("app(", f"{name}("))
    assert name_of(load("site_a", Settings())) == f"site_a.{name}"


def test_application_comes_before_app(write: Write) -> None:
    write("site_b.py", HELLO + HELLO.replace("app(", "application("))
    assert name_of(load("site_b", Settings())) == "site_b.application"


def test_dotted_attribute(write: Write) -> None:
    write(
        "site_c.py",
        "class Site:\n    class inner:\n        @staticmethod\n        def app(e, s): ...\nsite = Site()",
    )
    assert name_of(load("site_c:site.inner.app", Settings())) == "site_c.Site.inner.app"


def test_package_and_submodule(write: Write) -> None:
    write("shop_a/__init__.py")
    write("shop_a/wsgi.py", HELLO)
    assert name_of(load("shop_a.wsgi", Settings())) == "shop_a.wsgi.app"


def test_chdir_is_where_modules_are(write: Write, tmp_path: Path) -> None:
    write("project/site_d.py", HELLO)
    load("site_d", Settings(chdir="project"))
    assert Path.cwd() == tmp_path / "project"
    assert sys.path[0] == str(tmp_path / "project")


def test_pythonpath_comes_first_and_follows_chdir(write: Write) -> None:
    write("project/lib/site_e.py", HELLO)
    write("project/site_e.py", "raise AssertionError")
    assert load("site_e", Settings(chdir="project", pythonpath="lib")).__module__ == "site_e"


@pytest.mark.parametrize(
    ("text", "factory"),
    [
        ("site_f:make_it", True),
        ("site_f:make_it()", False),
        ("site_f:make_it()", True),
        ("site_f:make_it('x', debug=True)", False),
        ("site_f", True),
        ("site_f:Site", True),
        ("site_f:Site()", False),
    ],
)
def test_factory(write: Write, text: str, factory: bool) -> None:
    write(
        "site_f.py",
        HELLO
        + "def make_it(name='x', debug=False): return app\ncreate_app = make_it\n"
        + "class Site:\n    def __call__(self, environ, respond): return app(environ, respond)\n",
    )
    app = load(text, Settings(factory=factory))
    assert app({}, lambda status, headers: None) == [b"hello"]


# What is not


def test_chdir_that_does_not_exist(write: Write) -> None:
    assert str(fails("site", chdir="nowhere")) == "--chdir nowhere: No such file or directory"


def test_pythonpath_that_does_not_exist(write: Write) -> None:
    assert str(fails("site", pythonpath="nowhere")) == "--pythonpath nowhere: there is no such directory"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("shopp.wsgi:app", "there is no module 'shopp'; did you mean shop_b.wsgi:app?"),
        ("shop_b.wsgy", "there is no module 'shop_b.wsgy'; did you mean shop_b.wsgi?"),
        ("shop_b.wsgi.app", "there is no module 'shop_b.wsgi.app'; did you mean shop_b.wsgi:app?"),
        ("shop_b/wsgi.py:app", "'shop_b/wsgi.py' is the name of a file; name the module: shop_b.wsgi:app"),
        ("shop_b.wsgi.py", "'shop_b.wsgi.py' is the name of a file; name the module: shop_b.wsgi"),
        ("./other.py", "'./other.py' is the name of a file; name the module: other"),
    ],
)
def test_module_missing(write: Write, text: str, line: str) -> None:
    write("shop_b/__init__.py")
    write("shop_b/wsgi.py", HELLO)
    mistake = fails(text)
    assert str(mistake) == line
    assert mistake.details == ""


def test_module_missing_and_nothing_like_it(write: Write, tmp_path: Path) -> None:
    assert f"there is no module 'qqqqq' in {tmp_path}; is that" in str(fails("qqqqq"))


def test_module_missing_in_a_django_project(write: Write) -> None:
    write("manage.py")
    write("mysite/wsgi.py")
    assert str(fails("app")) == "there is no module 'app'; did you mean mysite.wsgi?"


def test_module_that_needs_a_missing_one(write: Write) -> None:
    path = write("site_g.py", "import os\nimport flsk\n")
    mistake = fails("site_g")
    assert str(mistake) == (
        "site_g cannot be imported: ModuleNotFoundError: No module named 'flsk'; "
        f"is it installed for {sys.executable}?"
    )
    assert f'File "{path}", line 2' in mistake.details


def test_traceback_holds_the_users_frames_only(write: Write) -> None:
    write("site_h.py", "import site_h2")
    write(
        "site_h2.py",
        "def fail():\n    1 / 0\ntry:\n    fail()\nexcept Exception as e:\n    raise OSError('a\\nb') from e",
    )
    mistake = fails("site_h")
    assert str(mistake) == "site_h cannot be imported: OSError: a"
    frames = [line.split('"')[1] for line in mistake.details.splitlines() if line.startswith("  File")]
    assert {os.path.basename(frame) for frame in frames} == {"site_h.py", "site_h2.py"}
    assert "ZeroDivisionError" in mistake.details
    assert "importlib" not in mistake.details


def test_syntax_error(write: Write) -> None:
    path = write("site_i.py", "def app(:\n")
    mistake = fails("site_i")
    assert str(mistake).startswith("site_i cannot be imported: SyntaxError: ")
    assert mistake.details.startswith(f'  File "{path}", line 1\n')


def test_module_that_exits(write: Write) -> None:
    write("site_j.py", "import sys\nsys.exit(3)")
    mistake = fails("site_j")
    assert str(mistake).startswith("site_j exits when imported, with exit code 3; keep that under if __name__")
    assert mistake.exit_code == 3
    write("site_jj.py", "exit()")
    assert (fails("site_jj").exit_code, "with exit code 0;" in str(fails("site_jj"))) == (1, True)
    write("site_jjj.py", "import sys\nsys.exit('no\\nDATABASE_URL')")
    assert "exits when imported, with exit code 1: no DATABASE_URL" in str(fails("site_jjj"))


@pytest.mark.parametrize(
    ("text", "end"),
    [
        ("site_k:ap", ".py) has no attribute 'ap'; did you mean 'app'?"),
        ("site_k:site.aap", "site_k:site has no attribute 'aap'; did you mean 'app'?"),
        ("site_k:qqqqq", ".py) has no attribute 'qqqqq'"),
    ],
)
def test_attribute_missing(write: Write, text: str, end: str) -> None:
    write("site_k.py", HELLO + "class site:\n    app = app\n")
    assert str(fails(text)).endswith(end)


@pytest.mark.parametrize(
    ("source", "hint"),
    [
        ("", "; name the application: site_l:ATTR"),
        ("def create_app(): ...", "; did you mean 'site_l:create_app()'?"),
        (HELLO.replace("app(", "server("), "; did you mean site_l:server?"),
    ],
)
def test_bare_module_without_application(write: Write, source: str, hint: str) -> None:
    path = write("site_l.py", source)
    assert str(fails("site_l")) == f"module site_l ({path}) has neither 'application' nor 'app'{hint}"


def test_bare_package_with_wsgi_module(write: Write) -> None:
    write("shop_c/__init__.py")
    write("shop_c/wsgi.py")
    assert str(fails("shop_c")).endswith("has neither 'application' nor 'app'; did you mean shop_c.wsgi?")


NO_FACTORY = {
    "create": "what site_m:create() returned is a NoneType, not a WSGI application: it cannot be called",
    "config": "site_m:config is a dict, not a factory: it cannot be called",
    "coroutine": "site_m:coroutine is an async function; a factory of WSGI applications is a plain one",
    "app": "site_m:app is an application, not a factory; leave out --factory",
    "configured": "the factory site_m:configured needs arguments; "
    "give them as literals: 'site_m:configured(...)'",
    "configured(1, 2)": "the factory site_m:configured failed: TypeError: "
    "configured() takes 1 positional argument but 2 were given",
}


@pytest.mark.parametrize("name", NO_FACTORY)
def test_factory_that_is_none(write: Write, name: str) -> None:
    write(
        "site_m.py",
        HELLO + "config = {}\ndef create(): ...\nasync def coroutine(): ...\ndef configured(name): ...\n",
    )
    assert str(fails(f"site_m:{name}", factory=True)) == NO_FACTORY[name]


def test_factory_that_fails(write: Write) -> None:
    path = write("site_n.py", "def create():\n    raise KeyError('DATABASE_URL')\n")
    mistake = fails("site_n:create()")
    assert str(mistake) == "the factory site_n:create failed: KeyError: 'DATABASE_URL'"
    assert mistake.details.count("  File ") == 1
    assert f'File "{path}", line 2, in create' in mistake.details
