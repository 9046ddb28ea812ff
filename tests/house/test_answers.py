"""ci/answers.py: what it takes for the right answers are ours, and what is wrong with one, or with a log, is told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ci.answering.accounts import check_errors, check_log
from ci.answering.application import app
from ci.answering.questions import WAYS, Batch, question, token
from ci.answering.talking import OPEN, SURE
from tests.helpers.memory import Bench

MANY = 3000  # requests, in which all ways come


def test_each_answer_is_the_one_that_is_due(build: SimpleNamespace) -> None:
    bench = Bench(build, app, threads=4)
    for start in range(0, MANY, 50):
        batch = Batch(range(start, start + 50), closes=start % 100 == 0)
        client = bench.connect(batch.request)
        assert not batch.wrong(bytes(client.received))
        assert client.closed == (start % 100 == 0)
    assert {question(number).way for number in range(MANY)} == set(WAYS)


@pytest.mark.parametrize(("taken", "put"), [(b"n=7", b"n=8"), (b"X-Number: 7", b"X-Number: 17"), (b"HTTP", b"HTT")])
def test_a_wrong_answer_is_told_with_its_request(taken: bytes, put: bytes) -> None:
    batch = Batch(range(6, 9), closes=False)
    start = len(batch.questions[0].answer)
    got = batch.answer[:start] + batch.answer[start:].replace(taken, put, 1)
    assert f"/7?q={token(7):x} HTTP" in batch.wrong(got)
    assert "behind" in batch.wrong(batch.answer + batch.answer[:20])
    assert not batch.wrong(batch.answer)


def test_what_is_wrong_with_a_log_is_told(tmp_path: Path) -> None:
    right = [f"/list/{number} q={token(number):x} 200 {token(number):x}\n" for number in range(4)]
    wrong = {
        "": right,
        "no line": right[:3],
        "two lines": [*right, right[2]],
        "torn": [*right, right[3][5:]],
        "mixed": [*right, right[3].replace("/3", "/2")],
    }
    for kind, lines in wrong.items():
        (tmp_path / "log").write_text("".join(lines))
        told = check_log(tmp_path / "log", bytearray([SURE] * 4))
        assert [kind] * len(told) == [" ".join(one.split(":")[1].split()[1:]) for one in told]
        assert len(told) == (kind != "")
    (tmp_path / "log").write_text("".join(right))
    assert "unasked" in check_log(tmp_path / "log", bytearray([SURE, OPEN, SURE, SURE]))[0]


def test_what_is_wrong_with_the_error_log_is_told() -> None:
    failed = "2026 [1] ERROR the application failed (GET /raises/7?q=1)\n"
    assert check_errors([failed, "ValueError: 7\n"], 1, 0) == []
    assert check_errors([failed, failed], 2, 0) != []
    assert check_errors([], 1, 0) != []
    assert check_errors([failed, "2026 [1] ERROR internal error\n"], 1, 0) != []
