"""What our server does with clients that misbehave, while others are served: how long they stay, and what they cost.

    python ci/abuse.py                            all scenarios, some six minutes
    python ci/abuse.py --quick                    shortened, as CI runs them
    python ci/abuse.py slow endless               some of them
    python ci/abuse.py idle --connections 20000   fewer if `ulimit -Hn` does not allow so many, and we are not root

Each scenario prints its figures and what is wanted; the exit code is 1 if one of them misses that. Memory is the growth
of all workers' PSS at its highest, latency that of two kept and one new connection beside the abuse.
"""

from __future__ import annotations

import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ci.scenarios import running
from ci.scenarios.crowd import Crowd
from ci.scenarios.floods import endless, leaving, pipelined, storm
from ci.scenarios.hoards import bodies, disk, heads, lists
from ci.scenarios.running import memory, raise_limit, until, wanted
from ci.scenarios.victim import GROWTH, abused, beside, connections, cpu, shown
from tests.helpers.deployments import Deployment
from tests.helpers.serving import GET, Client, request

POST = request("POST", fields=[("Content-Length", "1000000")])

# Slow clients


def slow(quick: bool) -> str:
    """500 heads and 50 bodies at a byte a second, 200 silent, 51 that stop reading 50 MB: all are ended in time."""
    return "; ".join(slow_with(threads, quick) for threads in (1, 4))


def slow_with(threads: int, quick: bool) -> str:
    share = 5 if quick else 1
    times = {"header_timeout": 2, "body_timeout": 2, "write_timeout": 3} if quick else {}
    limits = {"head": 10, "silent": 10, "body": 30, "reader": 30}
    if quick:
        limits = {"head": 2, "silent": 2, "body": 2, "reader": 3}
    crowd = Crowd()
    with abused(threads=threads, **times) as (server, most), beside(server) as load:
        crowd.join(500 // share, "head", server.address, GET[:16], b"X-A: b\r\n")
        crowd.join(200 // share, "silent", server.address)
        # The floor of 512 bytes a second is asked for after 30 s: the quick ones stand still
        crowd.join(50 // share, "body", server.address, POST, b"" if quick else b"x")
        for target in ("/list", "/file", "/stream"):
            crowd.join(17 // share, "reader", server.address, request(target=target), reads=False)
        crowd.act(max(limits.values()) + 15, most.look)
        crowd.leave()
        for kind, limit in limits.items():
            how = {"reset"} if kind == "reader" else {"408"}
            wanted(crowd.ends(kind) == how, f"{kind}: {crowd.ends(kind)}, not {how}")
            wanted(crowd.slowest(kind) <= limit + 4, f"{kind}: {crowd.slowest(kind):.1f} s")
        wanted(most.mib <= GROWTH, f"{most.mib:.1f} MiB")
    took = ", ".join(f"{kind} {crowd.slowest(kind):.1f} s" for kind in limits)
    return f"{threads} threads: {len(crowd.clients)} ended: {took}; {shown(load, most)}"


# Many clients


def idle(quick: bool, wished: int = 0) -> str:
    """Idle connections: at most 2 KiB each, CPU under 1 %, the others' p99 under 10 ms."""
    count = wished or (1000 if quick else 5000)
    count = min(count, raise_limit(count + 200) - 200)
    with abused(threads=1, max_connections=count + 100) as (server, most), ExitStack() as stack:
        clients = [stack.enter_context(idle_client(server.address, number)) for number in range(count)]
        each = (memory(server) - most.before) / count
        with beside(server, 10) as load:
            load.more(2000)
        began, before = time.monotonic(), cpu(server)
        time.sleep(3 if quick else 20)
        share = (cpu(server) - before) / (time.monotonic() - began)
        asked = [client.send(GET).answer().body for client in clients[:: max(1, count // 100)]]
        wanted(set(asked) == {b"hello"}, "all are still there")
    wanted(each <= 2048, f"{each:.0f} bytes each")
    wanted(share < 0.01, f"CPU {share:.2%}")
    return f"{count} connections, {each:.0f} bytes each, CPU {share:.2%}, p99 of others {load.percentile(0.99):.1f} ms"


def idle_client(address: Any, number: int) -> Client:
    """A client that was answered once; every 10,000 come from another address, since ports are finite."""
    client = Client(address, source=f"127.0.0.{number // 10000 + 1}")
    client.send(GET).answer()
    return client


def limit(quick: bool) -> str:
    """More clients than --max-connections: each is answered, at once if somebody is idle; nothing spins."""
    with abused(threads=4, max_connections=100, header_timeout=2) as (server, _), ExitStack() as stack:
        took = [answered_in(stack, server) for _ in range(500)]
        wanted(max(took) <= 0.1, f"a newcomer waited {max(took):.2f} s")
        busy = [stack.enter_context(Client(server.address)).send(GET[:9]) for _ in range(100)]
        began, before = time.monotonic(), cpu(server)
        waited = answered_in(stack, server)
        share = (cpu(server) - before) / (time.monotonic() - began)
        wanted(waited > 1, f"the busy stay until their deadline, and not {waited:.2f} s")
        wanted(share < 0.05, f"CPU {share:.1%} while newcomers wait")
        wanted({one.answer().status for one in busy} == {408}, "the busy are answered")
    lines = [line for line in server.seen if "--max-connections" in line]
    wanted(1 <= len(lines) <= max(1, running.SHAPE["loops"]), f"one line of each loop in the log: {lines}")
    return f"500 newcomers in at most {max(took) * 1000:.0f} ms each; CPU {share:.1%} while one waited {waited:.1f} s"


def answered_in(stack: ExitStack, server: Deployment, target: str = "/") -> float:
    """Seconds that a newcomer, who stays, waits for an answer."""
    began = time.monotonic()
    client = stack.enter_context(Client(server.address)).send(request(target=target))
    wanted(client.answer().status == 200, "200")
    return time.monotonic() - began


def greedy(quick: bool) -> str:
    """A client that wants far more than --max-connections-per-ip: the rest is reset, and told of in summary."""
    most_of_one, wished = 50, 2000 if quick else 20_000
    with abused(threads=4, max_connections_per_ip=most_of_one) as (server, most), beside(server) as load:
        with ExitStack() as stack:
            kept = [stack.enter_context(Client(server.address, source="127.0.0.9")) for _ in range(most_of_one)]
            wanted(all(one.send(GET).answer().status == 200 for one in kept), "so many are served")
            began, before = time.monotonic(), cpu(server)
            refused = sum(is_reset(server.address, "127.0.0.9") for _ in range(wished))
            cost = (cpu(server) - before) / wished * 1e6
            seconds = time.monotonic() - began
        wanted(refused == wished, f"{refused} of {wished} are reset")
        most.look()
    lines = [line for line in server.seen if "too many connections" in line]
    wanted(1 <= len(lines) <= 2 + seconds / 60, f"a line a minute: {lines}")
    wanted(all("127.0.0.9" in line for line in lines), f"it is named: {lines}")
    return f"{refused} reset in {seconds:.1f} s, {cost:.0f} us of CPU each, others included; {shown(load, most)}"


def is_reset(address: Any, source: str) -> bool:
    """Whether a new connection is reset at once."""
    try:
        with Client(address, source=source) as client:
            return (client.send(GET).rest(), client.end) == (b"", "reset")  # sent: else accept is deferred
    except (ConnectionResetError, BrokenPipeError):
        return True


def files(quick: bool) -> str:
    """File descriptors used up, by clients and by the application: room is made, nothing spins, and it is back soon."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with ExitStack() as limited:
        limited.callback(resource.setrlimit, resource.RLIMIT_NOFILE, before)
        resource.setrlimit(resource.RLIMIT_NOFILE, (128, before[1]))
        context = abused(threads=4, header_timeout=300)
        server, _ = context.__enter__()
        limited.push(context.__exit__)
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        return used_up(server)


def used_up(server: Deployment) -> str:
    with ExitStack() as stack:
        took = [answered_in(stack, server) for _ in range(500)]
        wanted(max(took) <= 0.1, f"a newcomer waited {max(took):.2f} s")
    until(lambda: connections(server) == 0)
    with ExitStack() as stack:
        holder = stack.enter_context(Client(server.address))
        holder.send(request(target="/hoard")).answer()
        holder.send(request(target="/free")[:9])
        newcomers = [stack.enter_context(Client(server.address)).send(GET) for _ in range(20)]
        began, before = time.monotonic(), cpu(server)
        time.sleep(3)
        share = (cpu(server) - before) / (time.monotonic() - began)
        wanted(not any(one.is_readable(0.001) for one in newcomers), "there is no room for newcomers")
        holder.send(request(target="/free")[9:]).answer()
        began = time.monotonic()
        wanted({one.answer().status for one in newcomers} == {200}, "all who waited are answered")
        back = time.monotonic() - began
    lines = [line for line in server.seen if "ulimit -n" in line]
    wanted(share < 0.05, f"CPU {share:.1%} while newcomers wait")
    wanted(back <= 1, f"back after {back:.2f} s")
    wanted(len(lines) <= 1, f"one line in the log: {lines}")
    return (
        f"500 newcomers in at most {max(took) * 1000:.0f} ms each; CPU {share:.1%} while the application holds all, "
        f"back {back * 1000:.0f} ms after it has freed them"
    )


HOARDS = (bodies, heads, lists, disk)
CALLED = (slow, idle, limit, greedy, files, endless, pipelined, storm, leaving, *HOARDS)
SCENARIOS = {one.__name__: one for one in CALLED}


def main() -> int:
    parser = running.make_parser(__doc__, SCENARIOS)
    parser.add_argument("--connections", type=int, default=0, metavar="N", help="of the scenario idle")
    options = parser.parse_args()
    return running.run({**SCENARIOS, "idle": lambda quick: idle(quick, options.connections)}, options)


if __name__ == "__main__":
    raise SystemExit(main())
