"""What happens to three hosts under load, behind HAProxy and behind nginx: the scenarios of ci/fleet.py.

Each is a function of the shops and their clients that has it happen, and tells what one sees.
"""

from __future__ import annotations

import subprocess
import threading
import time
from functools import partial

from ci.fleet_parts.clients import Clients
from ci.fleet_parts.machines import Machine
from ci.fleet_parts.shops import Shops
from ci.fleet_parts.slow_link import SlowLink
from ci.scenarios.running import until, wanted

HANGS = "import signal\nif 'NOTIFY_SOCKET' in os.environ:\n    signal.pause()"


def rolled(shops: Shops, clients: Clients, way: str, smoke: str = "") -> str:
    """A roll that reaches the last host."""
    shops.release("2")
    began = time.monotonic()
    code, said = shops.roll(way, "2", smoke)
    wanted(code == 0, f"the roll reaches the last host: {said}")
    took = time.monotonic() - began
    only_new(clients)
    return f"{took / 3:.1f} s a host"


def only_new(clients: Clients) -> None:
    """No host serves the old release any more."""
    clients.more(20)  # those that are under way
    before = clients.answers["1"]
    clients.more(200)
    wanted(clients.answers["1"] == before, "only the new release answers")


def term(shops: Shops, clients: Clients) -> str:
    """`by-checks`: TERM, `--drain-delay`"""
    return rolled(shops, clients, "by-checks")


def told(shops: Shops, clients: Clients) -> str:
    """`by-haproxy`: drained by the runtime API"""
    return rolled(shops, clients, "by-haproxy")


def listed(shops: Shops, clients: Clients) -> str:
    """`by-nginx`: marked `down`, and a reload"""
    return rolled(shops, clients, "by-nginx")


def encrypted(shops: Shops, clients: Clients) -> str:
    """`by-haproxy`, with PROXY v2 and TLS to the hosts"""
    return rolled(shops, clients, "by-haproxy", "curl -fsSk -o /dev/null --haproxy-protocol https://127.0.0.1:8000/")


def reloaded(shops: Shops, clients: Clients) -> str:
    """`by-haproxy`, and a reload of HAProxy each second"""
    over = threading.Event()
    count = 0

    def reload() -> None:
        nonlocal count
        while not over.wait(1):
            shops.reload()
            count += 1

    thread = threading.Thread(target=reload)
    thread.start()
    try:
        text = rolled(shops, clients, "by-haproxy")
    finally:
        over.set()
        thread.join()
    return f"{count} reloads; {text}"


def hup(shops: Shops, clients: Clients) -> str:
    """HUP on all hosts at once"""
    shops.release("2")
    began = time.monotonic()
    line = "ln -sfn releases/2 /srv/shop/current && systemctl reload shop"
    reloads = [subprocess.Popen([shops.rack.bin / "ssh", host.name, line]) for host in shops.hosts]
    wanted(not any(one.wait() for one in reloads), "all reload")
    for host in shops.hosts:
        until(partial(has_reloaded, host))
    took = time.monotonic() - began
    only_new(clients)
    return f"new code everywhere after {took:.1f} s"


def has_reloaded(host: Machine) -> bool:
    """Whether a reload is over, and both old workers have ended, which first answer on connections that are kept."""
    log = host.log("shop.out")
    return "reload complete" in log and log.count(" ended") == 2


def usr2(shops: Shops, clients: Clients) -> str:
    """USR2 host by host, then TERM to the old supervisor"""
    shops.release("2")
    began = time.monotonic()
    for host in shops.hosts:
        old = main_process(host)
        host.run("ln -sfn releases/2 /srv/shop/current && systemctl kill -s USR2 shop")
        until(partial(has_upgraded, host, old))
        host.run(f"kill -TERM {old}; tail --pid={old} -f /dev/null")
    took = time.monotonic() - began
    only_new(clients)
    return f"{took / 3:.1f} s a host"


def has_upgraded(host: Machine, old: str) -> bool:
    """Whether the successor of the supervisor *old* is ready."""
    return main_process(host) != old


def main_process(host: Machine) -> str:
    """The process ID of its supervisor, the newest that is ready."""
    return host.run("cut -d ' ' -f 2 /run/shop.state").strip()


def stopped_roll(shops: Shops, clients: Clients, way: str) -> str:
    """A roll that ends at host 2: what it says."""
    code, said = shops.roll(way, "2")
    wanted(code == 1 and "serves release 2" in said, f"the roll ends by itself: {said}")
    links = [(host.folder / "srv/shop/current").readlink().name for host in shops.hosts]
    wanted(links[0] == "2" and links[2] == "1", "host 1 has the new release, and host 3 the old one")
    before = clients.answers["1"]
    clients.more(200)
    wanted(clients.answers["1"] > before, "host 3 serves")
    return f"`{said.strip().splitlines()[-1]}`"


def bad_code(shops: Shops, clients: Clients) -> str:
    """A release that does not import on host 2"""
    shops.release("2")
    shops.write(shops.hosts[1], "2", "import nothing_of_that_name")
    return stopped_roll(shops, clients, "by-checks")


def bad_start(shops: Shops, clients: Clients) -> str:
    """A release that never becomes ready on host 2"""
    shops.release("2")
    shops.write(shops.hosts[1], "2", HANGS)
    return stopped_roll(shops, clients, "by-checks")


def bad_answers(shops: Shops, clients: Clients) -> str:
    """A release that answers 500 on host 2"""
    shops.release("2")
    shops.write(shops.hosts[1], "2", status="500 No Database")
    return stopped_roll(shops, clients, f"by-{shops.proxy}")


def kill(shops: Shops, clients: Clients) -> str:
    """SIGKILL to all processes of host 2"""
    shops.hosts[1].kill()
    clients.more(1500)
    shops.hosts[1].run("systemctl start shop")
    clients.more(500)
    return ""


def cut(shops: Shops, clients: Clients) -> str:
    """The cable of host 2 is pulled for 12 s"""
    shops.hosts[1].cut()
    began = time.monotonic()
    until(lambda: time.monotonic() - began > 12, 20)
    shops.hosts[1].cut(up=True)
    clients.more(500)
    slowest = max(one.ended - one.began for one in clients.outcomes.values() if one.status == 200)
    return f"what was under way waits for it: the slowest answer took {slowest:.0f} s"


def slow(shops: Shops, clients: Clients) -> str:
    """The link of host 2: 20 to 25 ms each way, 1 % of the frames lost"""
    with SlowLink(shops.hosts[1], 0.02, 0.005, 0.01):
        clients.more(500)
        return rolled(shops, clients, f"by-{shops.proxy}")
