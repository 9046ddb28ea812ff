"""Options of other servers are answered with the line that is meant, at each front door."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

import fastwsgi
from fastwsgi.gunicorn.unsupported import UNSUPPORTED
from fastwsgi.mistakes import UsageError
from fastwsgi.settings import habits
from fastwsgi.settings.arguments import COMMANDS, all_flags, parse
from fastwsgi.settings.environment import unknown_variables
from fastwsgi.settings.keys import KEYS
from fastwsgi.settings.settings import SettingError

LINES = {
    "--port 8000 shop:app": "--port is not an option here: fastwsgi --bind 127.0.0.1:8000 shop:app",
    "shop --loop 2": "--loop is not an option here: fastwsgi shop --loops 2",
    "shop --loop uvloop -w 2": "--loop is not an option here: fastwsgi shop -w 2",
    "shop --host 0.0.0.0 -t 3 --port=80": "--host and --port are not options here: "
    "fastwsgi shop --bind 0.0.0.0:80 -t 3",
    "shop --host ::1": "--host is not an option here: fastwsgi shop --bind '[::1]:8000'",
    "shop --listen *:80": "--listen is not an option here: fastwsgi shop --bind 0.0.0.0:80",
    "shop --listen=unix:/run/s": "--listen is not an option here: fastwsgi shop --bind unix:/run/s",
    "shop --uds /run/s": "--uds is not an option here: fastwsgi shop --bind unix:/run/s",
    "shop --unix-socket=/run/s": "--unix-socket is not an option here: fastwsgi shop --bind unix:/run/s",
    "shop --access-log ../acc.log -w 2": "--access-log is not an option here: "
    "fastwsgi shop --access-logfile ../acc.log -w 2",
    "--access-log shop:app": "--access-log is not an option here: fastwsgi --access-logfile - shop:app",
    "shop --access-log -": "--access-log is not an option here: fastwsgi shop --access-logfile -",
    "shop --fd 3": "--fd is not an option here: fastwsgi shop --bind fd://3",
    "shop --interface 0.0.0.0": "--interface is not an option here: fastwsgi shop --bind 0.0.0.0:8000",
    "shop --interface wsgi --port 1": "--interface and --port are not options here: "
    "fastwsgi shop --bind 127.0.0.1:1",
    "shop --interface rsgi": "RSGI is not spoken: serve such an application with a server that does",
    "shop --http :80": "--http is not an option here: fastwsgi shop --bind :80",
    "shop --http-socket 80": "--http-socket is not an option here: fastwsgi shop --bind 127.0.0.1:80",
    "shop --http httptools": "--http is not an option here: fastwsgi shop",
    "shop --socket s.sock": "--socket is not an option here: fastwsgi shop --bind unix:s.sock",
    "--module shop:app": "--module is not an option here: fastwsgi shop:app",
    "--wsgi-file a/shop.py --callable app --master --processes 2": "--wsgi-file, --callable, --master and --processes "
    "are not options here: fastwsgi a.shop:app --workers 2",
    "--app shop.py --debug": "--app and --debug are not options here: fastwsgi shop --reload",
    "--app shop run -p 5000": "--app is not an option here, -p is the file for the process ID here: "
    "fastwsgi shop --bind 127.0.0.1:5000",
    "-A shop run": "-A is not an option here: fastwsgi shop",
    "shop --proxy-headers": "--proxy-headers is not an option here: fastwsgi shop --forwarded-allow-ips 127.0.0.1",
    "shop -b 8000": "-b takes a host, too: fastwsgi shop --bind 127.0.0.1:8000",
    "shop --bind=8000": "--bind takes a host, too: fastwsgi shop --bind 127.0.0.1:8000",
    "shop -p 8000": "-p is the file for the process ID here: fastwsgi shop --bind 127.0.0.1:8000",
    "shop -p8000 --host ::": "--host is not an option here, -p is the file for the process ID here: "
    "fastwsgi shop --bind '[::]:8000'",
    "shop -p 4": "-p is the file for the process ID here: fastwsgi shop --workers 4",
    "-w shop:app": "-w is the number of workers here: fastwsgi shop:app",
    "shop -p 8000 -h 0.0.0.0": "-p is the file for the process ID here, -h is the help here: "
    "fastwsgi shop --bind 0.0.0.0:8000",
    "shop -s :3031": "-s is not an option here: fastwsgi shop --bind :3031",
    "shop --port": "--port is not an option here: fastwsgi shop --bind 127.0.0.1:8000",
    "shop --prot 80": "unknown option --prot; did you mean --port? It is --bind HOST:PORT here",
    "shop 8000": "an address needs --bind: fastwsgi shop --bind 127.0.0.1:8000",
    "shop 0.0.0.0:8000 -w 2": "an address needs --bind: fastwsgi shop --bind 0.0.0.0:8000 -w 2",
    "shop --stats :1717 --stats-http": "--stats and --stats-http are not options here: "
    "fastwsgi shop --status-bind :1717",
    "shop --stats /run/stats.sock": "--stats is not an option here: fastwsgi shop --status-bind unix:/run/stats.sock",
    "shop --metrics": "--metrics is not an option here: fastwsgi shop --status-bind 127.0.0.1:9090",
    "shop --metrics-address 0.0.0.0 --metrics-port 9100": "--metrics-address and --metrics-port are not options here: "
    "fastwsgi shop --status-bind 0.0.0.0:9100",
    "shop --timeout-keep-alive 5": "--timeout-keep-alive is not an option here: fastwsgi shop --keep-alive 5",
}


@pytest.mark.parametrize("command", LINES)
def test_on_the_command_line(command: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(command.split())
    assert str(caught.value) == LINES[command]


@pytest.mark.parametrize("command", [line for line in LINES.values() if ": fastwsgi " in line])
def test_the_answer_is_understood(command: str) -> None:
    parse(shlex.split(command.partition(": fastwsgi ")[2]))


@pytest.mark.parametrize("command", ["shop -p shop.pid", "shop -w 2", "shop -n=--port", "-e HOST=1 shop", "-p ./80 a"])
def test_what_is_ours_is_taken(command: str) -> None:
    parse(command.split())


def test_they_are_no_options_of_ours_or_gunicorns() -> None:
    theirs = {flag for one in UNSUPPORTED.values() for flag in one.flags}
    names = {f"--{name.replace('_', '-')}" for name in habits.KNOWN}
    assert not names & {*all_flags(), *COMMANDS, *theirs}
    assert set(habits.RENAMED.values()) <= set(KEYS)


TABLES = {
    "host and port are no settings here: bind = \"0.0.0.0:8000\"": {"host": "0.0.0.0", "port": 8000, "workers": 2},
    "processes is no setting here: workers = 4": {"processes": 4},
    "http-socket is no setting here: bind = \"127.0.0.1:80\"": {"http-socket": 80},
    "master is no setting here, and not needed": {"master": True},
    "debug is no setting here: reload = true": {"debug": True},
}


@pytest.mark.parametrize("line", TABLES)
def test_as_keys(line: str) -> None:
    with pytest.raises(UsageError) as caught:
        habits.refuse_keys(TABLES[line])
    assert str(caught.value) == line


def test_as_variables_they_are_told() -> None:
    """Not refused: Kubernetes makes such variables for a service of this name, with an URL in FASTWSGI_PORT."""
    assert unknown_variables({"FASTWSGI_HOST": "::", "FASTWSGI_PORT": "80"}) == [
        "FASTWSGI_HOST and FASTWSGI_PORT are no settings: 'FASTWSGI_BIND=[::]:80'"
    ]
    assert unknown_variables({"FASTWSGI_PORT": "tcp://10.0.0.1:80"}) == [
        "no such setting, from the environment: FASTWSGI_PORT"
    ]


def app(environ: Any, start_response: Any) -> list[bytes]:
    return []


KEYWORDS = {
    "host and port are no settings here: fastwsgi.serve(app, bind='0.0.0.0:80', threads=2)": {
        "host": "0.0.0.0", "port": 80, "threads": 2,
    },
    "unix_socket and processes are no settings here: fastwsgi.serve(app, bind='unix:/s', workers=2)": {
        "unix_socket": "/s", "processes": 2,
    },
    "bind=8000 is no address as text: write 127.0.0.1:8000": {"bind": 8000},
    "bind=('::', 80) is no address as text: write [::]:80": {"bind": ("::", 80)},
}  # fmt: skip


@pytest.mark.parametrize("line", KEYWORDS)
def test_as_keywords_of_serve(line: str) -> None:
    with pytest.raises(SettingError) as caught:
        fastwsgi.serve(app, **KEYWORDS[line])
    assert str(caught.value) == line


@pytest.mark.parametrize("arguments", [(app, "0.0.0.0", 80), ("0.0.0.0", 80, app)])
def test_in_the_order_of_other_functions(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(TypeError, match=r"host and port as one: fastwsgi\.serve\(app, bind='0\.0\.0\.0:80'\)"):
        fastwsgi.serve(*arguments)
