"""Three hosts with a service of two workers each, and a proxy in front: the files of docs/several-machines.md."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from ci.fleet_parts.clients import Clients
from ci.fleet_parts.ledger import Account, balance, unlogged
from ci.fleet_parts.machines import Machine, Rack
from ci.pages.blocks import blocks
from ci.scenarios.running import until, wanted
from tests.helpers.pki import Authority

PAGE = Path(__file__).parents[2] / "docs/several-machines.md"
HOSTS = {"shop1": "10.0.0.11", "shop2": "10.0.0.12", "shop3": "10.0.0.13"}
BALANCER = "10.0.0.10"
SITE = """
import os, time

{beginning}

record = os.open("/var/log/shop.record", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

def app(environ, start_response):
    path = environ["PATH_INFO"]
    os.write(record, f"{{environ['REQUEST_METHOD']}} {{path}}\\n".encode())
    if path.endswith("/slow"):
        time.sleep(0.1)
    environ["wsgi.input"].read(100)
    start_response("{status}" if "NOTIFY_SOCKET" in os.environ else "200 OK", [("Content-Type", "text/plain")])
    return [b"{release}\\n"]
"""
LOG_KEEPER = Path(__file__).with_name("log_keeper.py")
UNITS = {
    "rsyslog": f"""
[Service]
ExecStart={shlex.quote(sys.executable)} {shlex.quote(str(LOG_KEEPER))} /var/log/haproxy.log
""",
    "haproxy": """
[Service]
Type=notify
ExecStart=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -p /run/haproxy.pid -S /run/haproxy-master.sock
ExecReload=/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg -c -q
ExecReload=/bin/kill -USR2 $MAINPID
""",
    "nginx": """
[Service]
ExecStart=/usr/sbin/nginx -c /etc/nginx/nginx.conf -e stderr -g 'daemon off;'
ExecReload=/bin/kill -HUP $MAINPID
""",
}
NGINX = """
user root; worker_processes 2; pid /run/nginx.pid;
events {{ worker_connections 512; }}
http {{
    log_format shop '$request $status $upstream_addr $upstream_status';
    access_log /var/log/nginx.log shop;
    {paths}
    include shop.conf;
}}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def files_of_the_page() -> dict[str, str]:
    """The page's files, by name."""
    found = blocks(PAGE.read_text())
    return {block.name: "\n".join([*block.lines, ""]) for block in found if block.kind == "file"}


def changed(files: dict[str, str], changes: Mapping[str, str]) -> dict[str, str]:
    """*files* with each text of *changes* replaced, which one of them has. Raises Missed if none has."""
    for old, new in changes.items():
        wanted(any(old in text for text in files.values()), f"the page has {old!r}")
        files = {name: text.replace(old, new) for name, text in files.items()}
    return files


class Shops:
    """The hosts, the balancer *lb* and the clients' machine, with *proxy* ("haproxy" or "nginx") set up, not started.

    Args:
        changes: texts of the page's files that are replaced, and by what.
        service: lines that are added to fastwsgi.toml.
    """

    def __init__(self, rack: Rack, proxy: str, changes: Mapping[str, str], service: str = "") -> None:
        self.files = changed(files_of_the_page(), changes)
        self.files["fastwsgi.toml"] += service
        self.rack = rack
        self.proxy = proxy
        self.hosts = [rack.add(name, address) for name, address in HOSTS.items()]
        self.lb = rack.add("lb", BALANCER)
        self.outside = rack.add("outside", "10.0.0.1")
        for name in ("roll", "by-checks.sh", "by-haproxy.sh", "by-nginx.sh"):
            (rack.folder / name).write_text(self.files[name])
        for host in self.hosts:
            host.unit("shop", self.files["shop.service"])
            shop = host.folder / "srv/shop"
            shop.mkdir()
            (shop / ".venv").symlink_to(sys.prefix)
            (shop / "current").symlink_to("releases/1")
            (host.folder / "var/log/shop.record").touch()
        self.release("1")
        self.give_certificates()
        for unit, text in UNITS.items():
            self.lb.unit(unit, text)
        if proxy == "haproxy":
            (self.lb.etc / "haproxy/haproxy.cfg").write_text(self.files["haproxy.cfg"])
        else:
            for name in ("shop.conf", "shop.hosts"):
                (self.lb.etc / "nginx" / name).write_text(self.files[name])
            paths = "".join(f"{name}_temp_path /run/{name};" for name in TEMPORARY)
            (self.lb.etc / "nginx/nginx.conf").write_text(NGINX.format(paths=paths))

    def release(self, name: str, beginning: str = "", status: str = "200 OK") -> None:
        """Put a release onto all hosts; *beginning* is run when it is loaded, *status* is that of its answers."""
        for host in self.hosts:
            folder = host.folder / "srv/shop/releases" / name
            folder.mkdir(parents=True)
            self.write(host, name, beginning, status)
            (folder / "fastwsgi.toml").write_text(self.files["fastwsgi.toml"])

    @staticmethod
    def write(host: Machine, name: str, beginning: str = "", status: str = "200 OK") -> None:
        """Write the code of a release, as in `release()`."""
        text = SITE.format(beginning=beginning, status=status, release=name)
        (host.folder / f"srv/shop/releases/{name}/shop.py").write_text(text)

    def start(self) -> None:
        """Start all, and wait until the proxy has seen every host."""
        for host in self.hosts:
            host.run("systemctl start shop")
        self.lb.run(f"systemctl start rsyslog && systemctl start {self.proxy}")
        self.lb.run("until curl -s -o /dev/null http://127.0.0.1/; do sleep 0.01; done")

    def roll(self, way: str, release: str, smoke: str = "") -> tuple[int, str]:
        """Run the page's script: its exit code, and what it says."""
        variables = {"SMOKE": smoke} if smoke else {}
        done = subprocess.run(
            ["sh", str(self.rack.folder / "roll"), way, release, *HOSTS],
            env={**os.environ, **variables},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr

    def reload(self) -> None:
        """Reload the proxy."""
        self.lb.run(f"systemctl reload {self.proxy}")

    def give_certificates(self) -> None:
        """A certificate for the hosts, and its authority for the proxy."""
        made = self.rack.folder / "pki"
        made.mkdir()
        authority = Authority(made)
        certificate, key = authority.sign("shop", "/CN=shop", "subjectAltName=DNS:shop")
        shutil.copy(authority.certificate, self.lb.etc / "haproxy/ca.pem")
        for host in self.hosts:
            shutil.copy(certificate, host.folder / "srv/shop/shop.pem")
            shutil.copy(key, host.folder / "srv/shop/shop.key")

    def logs(self) -> str:
        """The last lines of all."""
        files = [log for one in [*self.hosts, self.lb] for log in sorted((one.folder / "var/log").glob("*.out"))]
        return "".join(f"{log}:\n{log.read_text('latin-1')[-1500:]}\n" for log in files)

    def account(self, clients: Clients, logged: bool = True) -> Account:
        """The account of all that *clients* have asked."""
        records = [host.folder / "var/log/shop.record" for host in self.hosts]
        if not logged:
            return balance(clients.outcomes, None, records)
        answered = [target for target, one in clients.outcomes.items() if one.status]
        until(lambda: not unlogged(answered, self.lb.log(f"{self.proxy}.log")), what="the proxy's log lacks answers")
        return balance(clients.outcomes, self.lb.log(f"{self.proxy}.log").splitlines(), records)
