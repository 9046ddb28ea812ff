"""What a run of the benchmark has found, what the report tells of that, and the picture."""

from __future__ import annotations

import copy
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import chart
import goals
import launch
import picture
import report
import run
import tables
from profiles import PROFILES
from results import Results, Round
from servers import SERVERS

BENCHMARKS = launch.HERE


def one(*cpu_us: float, errors: int = 0) -> Round:
    return Round(requests=1000, seconds=1.0, cpu_us=list(cpu_us), requests_per_second=[1000 / cpu for cpu in cpu_us],
                 waits=0.1, p50_ms=None, p99_ms=2.0, open_p99_ms=1.5, pss_mib=10.0, idle_percent=0.25,
                 steal_percent=0.5, errors=errors)


@pytest.fixture
def results() -> Results:
    """Three rounds of fastwsgi and freastal under hello and stream; bjoern fails, waitress is absent."""
    results = Results(
        machine=dict.fromkeys(("date", "cpu", "cores", "kernel", "python", "wrk", "ab"), "?"),
        settings={"rounds": 3, "bursts": 1, "seconds": 1, "open_bursts": 1, "open_seconds": 1, "client_core": 0,
                  "server_core": 1},
        servers={name: {"version": "1.0", "arguments": ""} for name in ("fastwsgi", "freastal", "bjoern")},
        skipped={"waitress": "waitress is not installed"},
        profiles={"hello": "a greeting", "stream": "chunks"},
    )
    for profile in results.profiles:
        for cpu in (4.5, 5.25, 9.0):
            results.add_round(profile, "fastwsgi", one(cpu))
            results.add_round(profile, "freastal", one(cpu * 2, errors=1))
    results.add_round("hello", "bjoern", one(1))
    results.add_failure("hello", "bjoern", "wrong answer")
    results.add_note("stream", "freastal", "does less")
    return results


def test_results_survive_json(results: Results, tmp_path: Path) -> None:
    results.save(tmp_path / "new" / "results.json")
    assert Results.load(tmp_path / "new" / "results.json") == results
    assert '"cpu_us": [4.5],\n' in (tmp_path / "new" / "results.json").read_text(), "no line for each burst"


def test_bursts_are_told_together_and_start_by_start(results: Results) -> None:
    results.rounds["hello"] = {"freastal": [one(2.0, 4.0, 8.0), one(4.0, 4.0)],
                               "fastwsgi-t1": [one(2.0, 2.0, 8.0), one(2.0, 8.0)]}
    assert results.values("hello", "freastal", "cpu_us") == [2.0, 4.0, 8.0, 4.0, 4.0]
    found = goals.ratio(results, "hello", "fastwsgi-t1", "freastal", "cpu_us")
    assert found == goals.Ratio(1.0, 0.5, pytest.approx(1.6)), "of 1, 0.5, 1, 0.5 and 2"
    assert "| freastal | 250 | 4.00 (2.80 to 6.40) | 4.00, 4.00 | 0.100 |" in report.render(results)
    assert "Starts of each server for a profile: 2 to 3, with 3 to 5 bursts in all, of" in report.conditions(results)


def test_median_and_errors(results: Results) -> None:
    assert results.median("hello", "fastwsgi", "cpu_us") == 5.25
    assert results.errors("hello", "freastal") == 3
    assert results.median("hello", "fastwsgi", "p50_ms") is None
    assert results.median("hello", "bjoern", "cpu_us") is None


def test_the_tables_compare_ours_with_the_best_peer_and_say_what_is_not_reached(results: Results) -> None:
    text = report.render(results)
    assert "| hello | - | - | 5.25 · 1.50 | freastal 10.5 · 1.50 | - | - | - |" in text, "one thread was not measured"
    results.rounds["hello"]["fastwsgi-t1"] = [one(4.5), one(10.5), one(18.9)]
    assert "| 1.00 (0.60 to 1.04) | ≤ 0.95: **not reached: 1.00** |" in report.render(results)
    results.rounds["hello"]["floor"] = [one(4.5), one(10.0), one(18.0)]
    assert "| 1.05 (1.01 to 1.05) | ≤ 1.12: reached | 0.100 |" in report.render(results)


def test_a_reason_is_told_only_of_a_goal_that_is_not_reached(
    results: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(goals.WHY, "hello", "the kernel's part is larger")
    results.rounds["hello"]["fastwsgi-t1"] = [one(cpu) for cpu in (9.0, 10.5, 18.0)]
    assert "- hello: the kernel's part is larger" in report.render(results)
    results.rounds["hello"]["fastwsgi-t1"] = [one(cpu) for cpu in (4.5, 5.25, 9.0)]
    assert "larger" not in report.render(results)


def test_the_report_names_the_failed_the_noted_and_the_skipped(results: Results) -> None:
    text = report.render(results)
    assert "- waitress was skipped: waitress is not installed" in text
    assert "- bjoern failed under hello: wrong answer" in text
    assert "- † freastal under stream: does less" in text
    assert "| freastal | 95.2 | 10.5 (9.30 to 16.5) | 9.00, 10.5, 18.0 | 0.100 |" in text
    assert "| - | 2.00 | 1.50 | 10.0 | 0.25 | 3 |" in text


def test_a_noted_server_is_never_the_best(results: Results) -> None:
    assert goals.best_peer(results, "hello") == "freastal"
    results.add_note("hello", "freastal", "does less")
    assert goals.best_peer(results, "hello") is None


@pytest.mark.parametrize(
    ("median", "goal", "at_least", "told"),
    [(0.954, 0.95, False, "≤ 0.95: reached"), (0.956, 0.95, False, "≤ 0.95: **not reached: 0.96**"),
     (1.2, None, False, "-"), (0.98, 1.0, True, "≥ 1.00: **not reached: 0.98**"), (1.3, 1.0, True, "≥ 1.00: reached")],
)
def test_goals_are_judged_as_they_are_shown(median: float, goal: float | None, at_least: bool, told: str) -> None:
    assert goals.verdict(goals.Ratio(median, 0.9, 1.4), goal, at_least) == told


def test_goals_are_of_profiles_and_servers_that_there_are() -> None:
    named = {*goals.OF_THE_BEST, *goals.OF_THE_FLOOR, *goals.WHY, *(profile for profile, _ in goals.OF_ONE_THREAD)}
    assert named <= PROFILES.keys()
    assert {server for _, server in goals.OF_ONE_THREAD} <= SERVERS.keys()


def test_a_later_run_is_added_to_one_of_the_same_machine_and_versions(results: Results) -> None:
    later = copy.deepcopy(results)
    later.profiles = {"stream": "other chunks"}
    later.rounds = {"stream": {"fastwsgi": [one(1.0)]}}
    later.notes, later.failed = {}, {}
    results.merge(later)
    assert results.profiles == {"hello": "a greeting", "stream": "other chunks"}
    assert results.rounds["stream"] == {"fastwsgi": [one(1.0)]}
    assert len(results.rounds["hello"]["freastal"]) == 3
    assert (results.notes, list(results.failed)) == ({}, ["hello"])
    assert not results.conflict(later)
    later.machine = {**later.machine, "cpu": "another", "date": "later"}
    later.servers = {**later.servers, "freastal": {"version": "2.0", "arguments": ""}}
    assert results.conflict(later) == "cpu: another now, ? then, freastal: 2.0 now, 1.0 then"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "-"), (0.0, "0.00"), (4.567, "4.57"), (45.67, "45.7"), (456.7, "457"), (184321.0, "184,321")],
)
def test_numbers(value: float | None, text: str) -> None:
    assert tables.number(value) == text


def test_tables_go_between_the_markers() -> None:
    text = f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n"
    assert report.insert(text, "new\n") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    with pytest.raises(ValueError, match="no lines"):
        report.insert("no markers", "new")


def test_the_readmes_have_the_markers() -> None:
    for folder in (BENCHMARKS, BENCHMARKS.parent):
        report.insert((folder / "README.md").read_text(), "")


def test_the_readme_has_the_picture_of_the_results() -> None:
    results = Results.load(BENCHMARKS / "results.json")
    drawn = picture.svg(results)
    assert drawn == (BENCHMARKS.parent / report.PICTURE).read_text(encoding="utf-8")
    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    assert report.summary(results) in (BENCHMARKS.parent / "README.md").read_text(encoding="utf-8")


def test_publishing_needs_no_matplotlib(
    results: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    results.save(tmp_path / "results.json")
    report.publish(tmp_path / "results.json", tmp_path / "new")
    assert report.render(results) in (tmp_path / "new" / "README.md").read_text()
    assert not (tmp_path / "new" / "results.svg").exists()
    assert "matplotlib is not installed" in capsys.readouterr().err


def test_the_chart_is_relative_to_the_best_comparable_peer(results: Results) -> None:
    values = chart.relative(results)
    assert values["fastwsgi"] == {"hello": [0.5]}
    assert values["best peer"] == {"hello": [1.0]}
    assert values["other peers"] == {}


def test_fastwsgi_in_trouble_is_told(results: Results) -> None:
    assert not run.in_trouble(results, ["fastwsgi"])
    assert run.in_trouble(results, ["bjoern"])
    assert run.in_trouble(results, ["waitress"])
    assert run.in_trouble(results, ["freastal"])
