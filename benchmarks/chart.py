"""The chart: CPU time per request, relative to the best peer, one line for each profile.

It shows what the tables do, floor, ours, the best peer and gunicorn, and the other peers in grey. matplotlib is
optional; without it the chart is left out, with a line that says so.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from goals import FLOOR, GUNICORN, NO_PEERS, ONE_THREAD, OURS, best_peer
from results import Results

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Server CPU per request, relative to the best peer (less is better)"
BEST, OTHERS = "best peer", "other peers"
STYLES = {
    OTHERS: {"marker": ".", "color": "0.7", "markersize": 6},
    FLOOR: {"marker": "|", "color": "black", "markersize": 14, "markeredgewidth": 2},
    BEST: {"marker": "s", "color": "tab:blue", "markersize": 6},
    GUNICORN: {"marker": "^", "color": "tab:red", "markersize": 8},
    ONE_THREAD: {"marker": "o", "color": "white", "markersize": 9, "markeredgecolor": "tab:green", "zorder": 3},
    OURS: {"marker": "o", "color": "tab:green", "markersize": 9, "markeredgecolor": "black", "zorder": 3},
}
TICKS = (0.2, 0.5, 1, 2, 5, 10, 20, 50)


def relative(results: Results) -> dict[str, dict[str, list[float]]]:
    """CPU per request by what the chart shows and by profile, divided by that of the best peer.

    Servers that are not comparable are left out, and profiles without a peer, and more of ours.
    """
    found: dict[str, dict[str, list[float]]] = {name: {} for name in STYLES}
    for profile in results.profiles:
        best = best_peer(results, profile)
        least = best and results.median(profile, best, "cpu_us")
        for server in results.servers if least else ():
            name = BEST if server == best else server if server in STYLES or server in NO_PEERS else OTHERS
            cost = results.median(profile, server, "cpu_us")
            if cost and least and name in found and results.comparable(profile, server):
                found[name].setdefault(profile, []).append(cost / least)
    return found


def draw(results: Results, path: Path) -> None:
    """Write the chart as SVG."""
    try:
        import matplotlib
    except ImportError:
        print(f"matplotlib is not installed: {path} was not drawn", file=sys.stderr)
        return
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "fastwsgi"  # the same figures give the same file
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.4 * len(results.profiles)), layout="constrained")
    plot(axes, results)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def plot(axes: Axes, results: Results) -> None:
    profiles = list(results.profiles)
    for name, values in relative(results).items():
        points = [(value, profiles.index(profile)) for profile, several in values.items() for value in several]
        if points:
            axes.plot(*zip(*points), linestyle="none", label=name, **STYLES[name])
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlim(left=TICKS[0])  # the floor under a framework is far out
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_formatter("")
    axes.set_yticks(range(len(profiles)), profiles)
    axes.invert_yaxis()
    axes.grid(axis="both", which="both", linewidth=0.3)
    axes.set_title(TITLE)
    axes.set_xlabel("times the best peer's CPU, logarithmic")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
