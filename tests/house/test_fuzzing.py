"""The targets of the fuzzers (ci/fuzzing): inputs of all kinds pass, and a fault in one build is found.

The long forms are `ci/fuzz.py` under libFuzzer and `ci/fuzz.py --cases`.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from ci import fuzz
from tests.conftest import without_compiled

pytestmark = pytest.mark.skipif(without_compiled(), reason="told to run without the compiled build")

CASES = 400
# What is broken in the pure build: module, where, name, and what takes its place
FAULTS = {
    "heads": ("head", "", "is_host", lambda host: True),
    "chunks": ("body", "ChunkedBody", "_split_size", lambda self, line: (line.partition(b";")[0] or b"0", b"")),
    "serializer": ("_outbox_py", "", "_VALUE", re.compile(r"[\t\n\r \x21-\x7e\x80-\xff]*")),
    "application": ("exchange", "Exchange", "_finish", lambda self: None),
    "calls": ("exchange", "Exchange", "enter", lambda self: None),
    "proxies": ("forwarded", "", "choose_entry", lambda value, hops: value.partition(",")[0].strip(" \t")),
    "files": ("static.beneath", "", "_link", lambda name, folder: None),
    "conversation": ("body", "Body", "rewind", lambda self: self.file),
}


def test_all_targets_have_a_fault() -> None:
    assert set(FAULTS) == set(fuzz.TARGETS)


@pytest.mark.parametrize("name", FAULTS)
def test_mutated_inputs_pass(name: str) -> None:
    assert fuzz.mutate(name, CASES, seed=7) == 0


@pytest.mark.parametrize("name", FAULTS)
def test_what_comes_out_on_several_threads_is_what_comes_out_of_one(name: str) -> None:
    assert fuzz.mutate(name, CASES // 10, seed=7, threads=4) == 0


def test_what_comes_out_otherwise_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    shared: list[bytes] = []

    def check(data: bytes) -> int:
        shared.append(data)
        return len(shared)

    monkeypatch.setattr("ci.fuzzing.chunks.check", check)
    assert fuzz.mutate("chunks", CASES, seed=7, threads=2) > 0


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, owner, attribute, fault = FAULTS[name]
    broken = import_module(f"fastwsgi.{module}" if "." in module else f"fastwsgi.http.{module}")
    monkeypatch.setattr(getattr(broken, owner) if owner else broken, attribute, fault)
    assert fuzz.mutate(name, 4 * CASES, seed=7) > 0


def test_a_find_can_be_checked_again(tmp_path: Path) -> None:
    path = tmp_path / "input"
    path.write_bytes(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n\0")
    command = [sys.executable, fuzz.__file__, "conversation", "--replay", path]
    assert subprocess.run(command, capture_output=True, text=True).stdout == "conversation: 1 right, 0 wrong\n"


def test_words_are_read() -> None:
    words = fuzz.words()
    assert b"\r\n\r\n" in words
    assert b'POST ' in words
