"""What is remembered: rates from differences, ten minutes of samples, gaps, counters that begin anew."""

from __future__ import annotations

import sys

import pytest

from fastwsgi.status.history import INTERVAL, SAMPLES, WINDOW, History, Rates, saturated
from fastwsgi.status.snapshot import Snapshot
from tests.helpers.snapshots import histogram, history, later, replace, snapshot, worker


def answered(
    before: Snapshot, *, good: int = 0, bad: int = 0, seconds: float = INTERVAL, busy: float = 0.0
) -> Snapshot:
    """*before* when so many more requests were answered, the good ones in 20 ms, the bad ones in 2 s."""
    old = before.durations
    good_now = histogram(0.02, many=old["2xx"].count + good)
    bad_now = histogram(2.0, many=old["5xx"].count + bad)
    first = before.workers[0]
    durations = replace(first.durations, counts=[a + b for a, b in zip(good_now.counts, bad_now.counts)])
    first = replace(first, requests=first.requests + good + bad, errors=first.errors + bad, durations=durations,
                    busy_seconds=first.busy_seconds + busy, cpu=first.cpu + busy)
    return later(before, seconds, workers=[first, *before.workers[1:]], busy_seconds=before.busy_seconds + busy,
                 durations={**old, "2xx": good_now, "5xx": bad_now})


def test_one_snapshot_has_no_rates() -> None:
    only = snapshot()
    assert History().rates(only) == history(only).rates(only) == Rates()
    assert history(only).samples[0].requests is None


def test_rates_are_differences_over_the_time_between() -> None:
    first = answered(snapshot(), good=1000)
    now = answered(first, good=90, bad=10, busy=4.0)
    rates = history(first).rates(now)
    assert (rates.seconds, rates.requests, rates.errors, rates.failed) == (2.0, 50.0, 0.1, 10)
    assert rates.utilisation == 4.0 / (2.0 * 8)
    assert rates.p50 == pytest.approx(0.0183, abs=0.0001)
    assert rates.p95 == pytest.approx(1.75)


def test_threads_that_have_gone_were_part_of_what_there_was() -> None:
    moments = [snapshot()]
    for _ in range(4):
        moments.append(answered(moments[-1], busy=4.0))
    now = answered(moments[-1], busy=2.0)
    now = replace(now, workers=[replace(now.workers[0], state="retiring")])
    assert history(*moments).rates(now).utilisation == 18.0 / (5 * 2.0 * 8)


def test_a_successor_with_more_loops_begins_anew() -> None:
    """It counts on from the memory of others, too."""
    first = answered(snapshot(), good=1000)
    now = answered(first, good=90)
    now.workers[0].loops = 2
    assert history(first).worker_rates(now)[0].request_rate is None


def test_a_worker_has_rates_of_its_own() -> None:
    first = answered(snapshot(), good=1000)
    now = answered(first, good=90, bad=10, busy=4.0)
    busy, idle = history(first).worker_rates(now)
    assert (busy.request_rate, busy.error_rate, busy.utilisation, busy.cpu_share) == (50.0, 5.0, 0.5, 2.0)
    assert (idle.request_rate, idle.error_rate, idle.p95, idle.cpu_share) == (0.0, 0.0, None, 0.0)


def test_rates_are_of_the_last_seconds_only() -> None:
    moments = [answered(snapshot(), good=10_000)]
    for _ in range(20):
        moments.append(answered(moments[-1], good=10))
    rates = history(*moments).rates(answered(moments[-1], good=5, seconds=1.0))
    assert (rates.seconds, rates.requests) == (WINDOW + 1, 5.0)


def test_a_worker_that_is_new_has_none_yet() -> None:
    first = snapshot()
    new = worker(2, slot=9, age=4.0, cpu=1.0, requests=5000)
    rates = history(first).worker_rates(later(first, workers=[*first.workers, new]))[2]
    assert (rates.request_rate, rates.p95, rates.cpu_share) == (None, None, 0.25)


def test_a_successor_counts_on_but_for_its_cpu() -> None:
    first = answered(snapshot(), good=100)
    successor = replace(first.workers[0], pid=7777, requests=120, cpu=0.5, age=1.0)
    rates = history(first).worker_rates(later(first, workers=[successor]))[0]
    assert (rates.request_rate, rates.cpu_share) == (10.0, 0.5)


@pytest.mark.parametrize("change", [{"supervisor": 9}, {"since": 1.0}, {}], ids=["supervisor", "since", "counters"])
def test_counters_that_begin_anew_give_no_rate(change: dict[str, float]) -> None:
    before = answered(snapshot(), good=1000, bad=10)
    anew = later(snapshot(), 4.0, **change)
    past = history(before)
    assert past.rates(anew) == Rates()
    past.add(anew)
    now = answered(anew, good=10)
    assert past.rates(now).requests == 5.0
    assert [one.request_rate for one in past.worker_rates(now)] == [5.0, 0.0]


def test_no_rate_is_negative() -> None:
    before = answered(snapshot(), good=1000)
    fallen = replace(before.workers[0], requests=1, cpu=0.0)
    strange = later(before, busy_seconds=-5.0, lines_dropped=-1, workers=[fallen])
    rates, one = history(before).rates(strange), history(before).worker_rates(strange)[0]
    assert (rates.utilisation, rates.lines_dropped, one.request_rate, one.cpu_share) == (0.0, 0, 0.0, 0.0)


def test_after_a_gap_rates_begin_anew() -> None:
    before = answered(snapshot(), good=1000)
    past = history(before)
    after = answered(before, good=60_000, seconds=60.0)
    assert past.rates(after).requests is None
    past.add(after)
    assert [one.requests for one in past.samples] == [None, None]
    assert past.samples[-1].clock - past.samples[-2].clock == 60.0
    assert past.rates(answered(after, good=20)).requests == 10.0


def test_samples_come_each_interval_however_often_it_is_asked() -> None:
    first = snapshot()
    past = history(first, later(first, 0.5), later(first, 1.0), later(first, 1.875), later(first, 2.5))
    assert [one.clock - first.clock for one in past.samples] == [0.0, 1.875]
    with_now = past.with_now(later(first, 2.5))
    assert [one.clock - first.clock for one in with_now] == [0.0, 1.875, 2.5]


def test_memory_is_bounded() -> None:
    workers = [worker(number) for number in range(64)]
    moment, past = snapshot(workers=workers), History()
    for _ in range(2 * SAMPLES):
        past.add(moment)
        moment = later(moment)
    assert len(past.samples) == SAMPLES
    size = sum(sys.getsizeof(one) + sum(map(sys.getsizeof, one)) for one in past.samples)
    assert size < 200_000
    assert len(past._counts) <= WINDOW / INTERVAL + 1


@pytest.mark.parametrize(
    ("workers", "seconds"),
    [
        ([worker(0, saturated=5.0), worker(1, saturated=3.0)], 3.0),
        ([worker(0, saturated=5.0), worker(1)], 0.0),
        ([worker(0, saturated=0.1), worker(1, saturated=9.0)], 0.0),
        ([worker(0, queued=1, oldest_queued=2.0), worker(1)], 2.0),
        ([worker(0, saturated=5.0, queued=9, oldest_queued=0.1), worker(1)], 5.0),
        ([worker(0, saturated=0.1, queued=9, oldest_queued=0.1), worker(1)], 0.0),
        ([worker(0, saturated=5.0), worker(1, state="retiring")], 5.0),
        ([worker(0, state="booting", saturated=5.0)], 0.0),
        ([], 0.0),
    ],
)
def test_saturated(workers: list, seconds: float) -> None:
    assert saturated(snapshot(workers=workers)) == seconds


def test_saturation_lasts_over_the_moments_between_two_requests() -> None:
    first = snapshot()
    busy = [later(first, 2.0 * step, workers=[worker(0, saturated=1.0)]) for step in range(1, 6)]
    past = history(first, *busy)
    assert past.saturated_for(later(busy[-1], 1.0, workers=[worker(0, saturated=0.7)])) == 9.0
    assert past.saturated_for(later(first, 11.0)) == 0.0
