"""Files below a folder: links in it are followed, and none leads out of it, by each of the two ways to open them."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fastwsgi import backend
from fastwsgi.static.beneath import open_beneath, open_folder
from tests.conftest import without_compiled
from tests.helpers.static import opener_of

LINKS = {
    "in/link": "file",
    "in/up": "../in/deep/../file",
    "in/folder": "deep",
    "in/deep/back": "../..",
    "in/slash": "deep/",
    "in/dot": ".",
    "in/file-slash": "file/",
    "out": "../secret",
    "in/far": "../../secret",
    "in/there-and-back": "../../in/in/file",
    "absolute": "/etc/passwd",
    "in/loop": "loop",
    "in/pair": "pair2",
    "in/pair2": "pair",
    "dangling": "nowhere",
    "proc": "/proc/self/root",
    "out-folder": "..",
    "chain": "in/link",
}
SEGMENTS = ["in", "deep", "file", *(name.rpartition("/")[2] for name in LINKS)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make(tmp_path)


def make(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "in" / "deep").mkdir(parents=True)
    (folder / "in" / "file").write_bytes(b"file")
    (folder / "in" / "deep" / "file").write_bytes(b"deep")
    (tmp_path / "secret").write_bytes(b"secret")
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    return folder


def found(build: SimpleNamespace, folder: Path, name: str) -> str:
    """The content, "folder", or the error."""
    root = open_folder(str(folder))
    before = len(os.listdir("/proc/self/fd"))
    try:
        fd = opener_of(build)(root, name.encode())
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    else:
        try:
            return os.read(fd, 100).decode()
        except IsADirectoryError:
            return "folder"
        finally:
            os.close(fd)
    finally:
        assert len(os.listdir("/proc/self/fd")) <= before
        os.close(root)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *((name, "file") for name in ("in/file", "in/link", "in/up", "chain", "in/dot/dot/file")),
        ("in/deep/back/in/file", "file"),
        *((name, "deep") for name in ("in/folder/file", "in/slash/file")),
        *((name, "folder") for name in ("in", "in/folder", "in/slash", "in/dot", "in/deep/back")),
        *((name, "EXDEV") for name in ("out", "in/far", "in/there-and-back", "absolute", "proc", "out-folder")),
        ("out-folder/secret", "EXDEV"),
        *((name, "ELOOP") for name in ("in/loop", "in/pair")),
        *((name, "ENOENT") for name in ("dangling", "none", "none/x")),
        *((name, "ENOTDIR") for name in ("in/file/x", "in/file-slash", "in/link/x")),
        ("a" * 300, "ENAMETOOLONG"),
    ],
)
def test_links(build: SimpleNamespace, folder: Path, name: str, expected: str) -> None:
    assert found(build, folder, name) == expected


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(SEGMENTS), min_size=1, max_size=6))
def test_both_ways_agree_and_none_leads_out(tmp_path_factory: pytest.TempPathFactory, path: list[str]) -> None:
    if without_compiled():
        pytest.skip("one way alone")
    folder = tmp_path_factory.getbasetemp() / "agree"
    if not folder.exists():
        folder.mkdir()
        make(folder)
    one, other = (found(backend.build(name), folder / "in", "/".join(path)) for name in ("c", "py"))
    assert one == other != "secret"


def test_what_is_moved_meanwhile(build: SimpleNamespace, folder: Path) -> None:
    """A folder turns into a link that leads out, and back, while files in it are opened."""
    root = open_folder(str(folder))
    link, away, stop = folder / "in" / "turns", folder / "in" / "away", threading.Event()
    (folder / "in" / "turns").mkdir()
    (folder / "in" / "turns" / "secret").write_bytes(b"ours")

    def turn() -> None:
        while not stop.is_set():
            link.rename(away)
            link.symlink_to("../..")
            link.unlink()
            away.rename(link)

    mover = threading.Thread(target=turn)
    mover.start()
    try:
        for _ in range(2000):
            try:
                fd = opener_of(build)(root, b"in/turns/secret")
            except OSError:
                continue
            content = os.read(fd, 100)
            os.close(fd)
            assert content == b"ours"
    finally:
        stop.set()
        mover.join()
        os.close(root)


def test_the_steps_are_taken_where_the_call_is_refused(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from fastwsgi.static import beneath

    for refusal in (errno.ENOSYS, errno.EPERM):
        calls: list[bytes] = []

        def openat2(root: int, path: bytes, refusal: int = refusal, calls: list[bytes] = calls) -> int:
            calls.append(path)
            return -refusal

        opener = beneath.opener(openat2)
        root = open_folder(str(folder))
        for _ in range(2):
            os.close(opener(root, b"in/file"))
        os.close(root)
        assert calls == [b"in/file"]
    assert beneath.opener(None) is open_beneath
