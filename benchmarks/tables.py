"""The tables that compare, in Markdown: floor, ours, the best peer and gunicorn, with ratio, scatter and goal."""

from __future__ import annotations

from collections.abc import Iterable

from goals import (
    FLOOR,
    GUNICORN,
    OF_ONE_THREAD,
    OF_THE_BEST,
    OF_THE_FLOOR,
    ONE_THREAD,
    OURS,
    WHY,
    best_peer,
    ours,
    ratio,
    verdict,
)
from profiles import PROFILES
from results import Results


def cpu(results: Results) -> str:
    """A row for each profile: CPU per request, and latency at 80 % of the peak of each."""
    head = ["profile", "floor", ONE_THREAD, OURS, "best peer", GUNICORN, "of the best (p10 to p90)", "goal"]
    rows = []
    for profile in results.profiles:
        peer = best_peer(results, profile)
        cells = [both(results, profile, server) for server in (FLOOR, ONE_THREAD, OURS, peer, GUNICORN)]
        cells[3] = f"{peer} {cells[3]}" if peer else "-"
        found = ratio(results, profile, ours(profile), peer, "cpu_us")
        rows.append([profile, *cells, str(found or "-"), verdict(found, OF_THE_BEST.get(profile))])
    return table(head, rows)


def speed(results: Results) -> str:
    """A row for each profile: requests per second."""
    figure = "requests_per_second"
    head = ["profile", "floor", ONE_THREAD, OURS, "best peer", GUNICORN, "of the best (p10 to p90)", "goal"]
    rows = []
    for profile in results.profiles:
        peer = best_peer(results, profile, figure, most=True)
        cells = [number(results.median(profile, server or "", figure)) for server in
                 (FLOOR, ONE_THREAD, OURS, peer, GUNICORN)]
        cells[3] = f"{peer} {cells[3]}" if peer else "-"
        found = ratio(results, profile, ours(profile), peer, figure)
        goal = 1.0 if profile in PROFILES and PROFILES[profile].in_framework else None
        rows.append([profile, *cells, str(found or "-"), verdict(found, goal, at_least=True)])
    return table(head, rows)


def above_the_floor(results: Results) -> str:
    """A row for each profile: what we cost, and how often who waits."""
    head = ["profile", "floor, µs", "ours, µs", "ours minus floor", "of the floor (p10 to p90)", "goal",
            "waits a request: floor", "ours", "best peer"]
    rows = []
    for profile in results.profiles:
        mine, peer = ours(profile), best_peer(results, profile)
        least, own = (results.median(profile, server, "cpu_us") for server in (FLOOR, mine))
        found = ratio(results, profile, mine, FLOOR, "cpu_us")
        waits = (results.median(profile, server or "", "waits") for server in (FLOOR, mine, peer))
        rows.append([profile, number(least), number(own), number(None if None in (least, own) else own - least),
                     str(found or "-"), verdict(found, OF_THE_FLOOR.get(profile)),
                     *("-" if value is None else f"{value:.3f}" for value in waits)])
    return table(head, rows)


def threads(results: Results) -> str:
    """What threads cost: a row for each goal whose profile was measured."""
    rows = []
    for (profile, server), goal in OF_ONE_THREAD.items():
        found = ratio(results, profile, server, ONE_THREAD, "cpu_us")
        if found:
            rows.append([profile, server, str(found), verdict(found, goal)])
    return table(["profile", "server", f"CPU of {ONE_THREAD} (p10 to p90)", "goal"], rows)


def reasons(results: Results) -> list[str]:
    """Why goals are not reached, for the profiles of which that is known."""
    return [f"- {profile}: {why}" for profile, why in WHY.items() if profile in results.profiles
            and "not reached" in verdict(ratio(results, profile, ours(profile), best_peer(results, profile), "cpu_us"),
                                         OF_THE_BEST.get(profile))]


def both(results: Results, profile: str, server: str | None) -> str:
    """CPU and latency of a server; of the floor, which has no latency to tell, the first only."""
    cost, late = (results.median(profile, server or "", figure) for figure in ("cpu_us", "open_p99_ms"))
    return number(cost) if late is None else f"{number(cost)} · {number(late)}"


def number(value: float | None) -> str:
    """Three significant digits, or all that stand before the point."""
    if value is None:
        return "-"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{decimals}f}"


def table(head: list[str], rows: Iterable[list[str]]) -> str:
    """A Markdown table, the first column to the left and the others to the right."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
