"""The chart: each server's CPU time per request, relative to the best peer, one line for each profile.

matplotlib is optional; without it the chart is left out, with a line that says so.
"""

from __future__ import annotations

import sys
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

from results import Results
from servers import SERVERS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE = "Server CPU per request, relative to the best peer (less is better)"
OWN_STYLE = {"markersize": 11, "markeredgecolor": "black", "zorder": 3}
PEER_STYLE = {"markersize": 7, "alpha": 0.85}
TICKS = (0.5, 1, 2, 5, 10, 20, 50)
MARKERS = "oDs^vP*X<>"


def relative(results: Results) -> dict[str, dict[str, float]]:
    """CPU per request by server and profile, divided by the least of the peers: 1.0 is that peer.

    Servers that are not comparable are left out; without a peer, the least of all is 1.0.
    """
    found: dict[str, dict[str, float]] = {server: {} for server in results.servers}
    for profile in results.profiles:
        cpu = {server: value for server in results.servers if results.comparable(profile, server)
               and (value := results.median(profile, server, "cpu_us"))}
        peers = [value for server, value in cpu.items() if not SERVERS[server].ours]
        for server, value in cpu.items():
            found[server][profile] = value / min(peers or cpu.values())
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

    figure, axes = pyplot.subplots(figsize=(9, 1.5 + 0.5 * len(results.profiles)), layout="constrained")
    plot(axes, results)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)


def plot(axes: Axes, results: Results) -> None:
    profiles = list(results.profiles)
    for (server, values), marker in zip(relative(results).items(), cycle(MARKERS)):
        style = OWN_STYLE if SERVERS[server].ours else PEER_STYLE
        lines = [profiles.index(profile) for profile in values]
        axes.plot(list(values.values()), lines, marker, linestyle="none", label=server, **style)
    axes.axvline(1, color="grey", linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(TICKS, [f"{tick:g}" for tick in TICKS])
    axes.xaxis.set_minor_formatter("")
    axes.set_yticks(range(len(profiles)), profiles)
    axes.invert_yaxis()
    axes.grid(axis="both", which="both", linewidth=0.3)
    axes.set_title(TITLE)
    axes.set_xlabel("times the best peer's CPU, logarithmic")
    axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))
