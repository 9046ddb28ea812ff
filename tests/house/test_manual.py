"""ci/manual.py: which lines of a page run, which of them serve, and that it tells what fails."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from ci import manual
from ci.pages.blocks import Unfit, blocks
from ci.pages.script import commands, script

PAGE = """# A page

`a/shop.py`:

```python
fastwsgi.serve(app)
```

```sh
cd a
python shop.py
```

```text
it works
```

`/etc/shop.conf`:

```ini
x = 1
```

```console
$ docker run shop
anything
```
"""


def test_blocks_and_the_script_that_has_their_lines_where_the_page_has_them() -> None:
    found = blocks(PAGE)
    assert [(one.kind, one.name) for one in found] == [
        ("file", "a/shop.py"), ("sh", ""), ("text", ""), ("", "/etc/shop.conf"), ("console", "")
    ]  # fmt: skip
    lines = script(found, len(PAGE.splitlines())).splitlines()
    assert lines[4:7] == ["mkdir -p a; cat > a/shop.py << 'END OF FILE'", "fastwsgi.serve(app)", "END OF FILE"]
    assert lines[9:11] == ["cd a", "python shop.py"], "the file is known by the name that the page gives it"
    assert not any(lines[11:])
    assert not script(found, len(PAGE.splitlines()), skipped=1).splitlines()[9]


@pytest.mark.parametrize(
    ("page", "fault"),
    [
        ("```bash\nls\n```\n", "1: a block in bash would be left out"),
        ("- x\n\n  ```sh\n  ls\n  ```\n", "3: an indented fence"),
        ("```sh\nls\n", "1: the fence has no end"),
        ("```console\n$ fastwsgi shop:app\n```\n", "1: fastwsgi can run here"),
    ],
)
def test_a_page_that_would_not_be_tested_as_it_is_meant(page: str, fault: str) -> None:
    with pytest.raises(Unfit, match=fault):
        blocks(page)


PROGRAMS = {
    "serve.py": "fastwsgi.serve(app)",
    "client.py": "with serve(app) as server:",
    "app.py": "    app.run(debug=True)",
}


@pytest.mark.parametrize(
    ("line", "made"),
    [
        ("fastwsgi shop:app -w 2  # two", "serve fastwsgi shop:app -w 2  # two"),
        ("A=1 B='x y' python -m fastwsgi shop:app", "A=1 B='x y' serve python -m fastwsgi shop:app"),
        ("flask --app shop fastwsgi --port 80", "serve flask --app shop fastwsgi --port 80"),
        ("python manage.py fastwsgi 8000", "serve python manage.py fastwsgi 8000"),
        ("python manage.py migrate", "python manage.py migrate"),
        ("fastwsgi shop:app --check", "fastwsgi shop:app --check"),
        ("fastwsgi --print-config | grep workers", "fastwsgi --print-config | grep workers"),
        ("fastwsgi top --once", "fastwsgi top --once"),
        ("python -m fastwsgi stacks", "python -m fastwsgi stacks"),
        ("fastwsgi shpo:app  # exit code 1", "expect 1 fastwsgi shpo:app  # exit code 1"),
        ("python serve.py", "serve python serve.py"),
        ("python app.py", "serve python app.py"),
        ("python client.py", "python client.py"),
        ("curl -s http://127.0.0.1:8000/", "curl -s http://127.0.0.1:8000/"),
    ],
)
def test_lines_that_serve(line: str, made: str) -> None:
    assert commands([line], PROGRAMS) == [made]


def test_a_line_that_goes_on_is_one_command() -> None:
    made = commands(["curl \\", "fastwsgi \\", "x", "fastwsgi a:b"], {})
    assert made == ["curl \\", "fastwsgi \\", "x", "serve fastwsgi a:b"]


SERVING = """`hello.py`:

```python
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"It works\\n"]
```

```sh
fastwsgi hello:app --bind 127.0.0.1:0 --pid pid
fastwsgi nothing:app  # exit code 1
cat pid
```

```text
12
```
"""


@pytest.mark.skipif(shutil.which("fastwsgi", path=Path(manual.sys.prefix, "bin")) is None, reason="not installed")
@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("", "", None),
        ("text\n12", "text\nhello", "this is not printed: hello"),
        ("code 1", "code 2", "page.md: line 11: exit code 1"),
        ("cat pid", "cat nothing", "page.md: line 12: exit code 1"),
        ("hello:app", "missing:app", "it ended before it served"),
    ],
)
def test_pages_that_run(tmp_path: Path, old: str, new: str, fault: str | None) -> None:
    (tmp_path / "page.md").write_text(SERVING.replace(old, new, 1))
    told = manual.run(tmp_path / "page.md", isolated=False)
    assert fault in told if fault else not told, told


def test_every_page_can_be_read() -> None:
    for page in manual.pages():
        blocks(page.read_text(encoding="utf-8"))


def test_an_entry_of_the_log_within_a_line_is_put_behind_it() -> None:
    entry = "2026-11-30 07:44:00,308 [33] ERROR worker 35 was killed by SIGABRT\n"
    assert manual.untangled(f"{entry}curl: (52) Empty rep{entry}ly from server\n{entry}") == (
        f"{entry}curl: (52) Empty reply from server\n{entry}{entry}"
    )
