"""Three machines behind HAProxy, then nginx, with every request accounted for in client, proxy and application.

    python ci/fleet.py                       all rows, some ten minutes
    python ci/fleet.py --quick               those that CI runs
    python ci/fleet.py haproxy-kill nginx-hup
    python ci/fleet.py --markdown            all, and the table in docs/several-machines.md written anew

The machines are network namespaces, so it wants root, and iproute2, haproxy, nginx, socat and curl. The configurations
and the script `roll` are those that the page shows. The exit code is 1 if a row loses what it need not, or if the
accounts do not add up.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.fleet_parts.clients import Clients
from ci.fleet_parts.ledger import Account
from ci.fleet_parts.machines import NoNamespaces, Rack
from ci.fleet_parts.rows import ROWS, Row
from ci.fleet_parts.shops import BALANCER, PAGE, Shops
from ci.fleet_parts.slow_link import SlowLink
from ci.scenarios.running import Missed, wanted
from tests.helpers.serving import Ended

TOOLS = ("ip", "haproxy", "nginx", "socat", "curl")
BEGIN, END = "<!-- table: begin (ci/fleet.py --markdown) -->\n", "<!-- table: end -->"
HEAD = """| what happens | proxy | requests | lost | longest gap | p99 | what one sees |
|---|---|---:|---:|---:|---:|---|
"""


def run(row: Row) -> tuple[Account, str]:
    """Have it happen: the account, and what one sees. Raises Missed."""
    with tempfile.TemporaryDirectory() as folder, Rack(Path(folder)) as rack:
        shops = Shops(rack, row.proxy, row.changes, row.service)
        try:
            shops.start()
            far = SlowLink(shops.outside, 0.02, 0.001, 0.0)
            with far if row.far else nullcontext(), Clients(shops.outside, BALANCER) as clients:
                seen = row.happening(shops, clients)
            account = shops.account(clients, row.logged)
        except (Missed, Ended, AssertionError, OSError):
            print(shops.logs(), file=sys.stderr)
            raise
    wanted(not account.faults, f"the accounts add up: {account.faults}; {account}")
    wanted(account.doubled == 0, f"nothing is done twice: {account}")
    losses = sum(account.lost.values())
    may_be = {"": 0, "post": losses - account.lost_gets, "kept": account.closed, "all": losses}
    wanted(losses <= may_be[row.lost], f"nothing lost that need not be: {account}")
    return account, seen


def line(row: Row, account: Account, seen: str) -> str:
    """The row in Markdown."""
    lost = sum(account.lost.values())
    if lost:
        seen = f"{seen + '; ' if seen else ''}{account.told()}"
    name = "HAProxy" if row.proxy == "haproxy" else "nginx"
    cells = (str(row.happening.__doc__).strip(), f"{name}, {row.note}", f"{account.requests:,}", str(lost))
    return f"| {' | '.join(cells)} | {account.gap:.2f} s | {account.p99:.0f} ms | {seen} |\n"


def write(table: str) -> None:
    """Put the table into the page."""
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(before + BEGIN + HEAD + table + END + rest.partition(END)[2])


def run_all(rows: list[Row], markdown: bool) -> int:
    """Run them all; the exit code."""
    missed, table = 0, ""
    for row in rows:
        began = time.monotonic()
        try:
            account, seen = run(row)
        except (Missed, Ended, AssertionError, OSError) as error:
            missed += 1
            print(f"{row.name:24} MISSED: {error}", flush=True)
            continue
        print(f"{row.name:24} passed: {account}; {seen} ({time.monotonic() - began:.0f} s)", flush=True)
        table += line(row, account, seen)
    if markdown and not missed:
        write(table)
    return 1 if missed else 0


def main() -> int:
    """Run what is asked for; the exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__).splitlines()[0])
    parser.add_argument("rows", nargs="*", metavar="ROW", help=f"some of {', '.join(row.name for row in ROWS)}")
    parser.add_argument("--quick", action="store_true", help="those that CI runs")
    parser.add_argument("--markdown", action="store_true", help="write the table of docs/several-machines.md anew")
    options = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        parser.error(f"{', '.join(missing)}: not installed")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(1))  # the namespaces are removed
    unknown = set(options.rows) - {row.name for row in ROWS}
    if unknown:
        parser.error(f"there is no row {', '.join(sorted(unknown))}")
    asked = [row for row in ROWS if row.name in options.rows or not options.rows]
    chosen = [row for row in asked if row.quick or not options.quick]
    try:
        return run_all(chosen, options.markdown)
    except NoNamespaces as error:
        print(f"network namespaces cannot be made here: {error}", file=sys.stderr)
        return 1 if os.geteuid() == 0 else 0


if __name__ == "__main__":
    sys.exit(main())
