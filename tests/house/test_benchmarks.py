"""The benchmark's machinery, without load: its tables, and what it reads from wrk, ab and /proc."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any
from wsgiref.util import FileWrapper, setup_testing_defaults
from wsgiref.validate import validator

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))

import floor
import launch
import load
import measure
import peers
import run
import wire
from profiles import BROWSER_FIELDS, POST_BODY, PROFILES, TABLE, Profile
from servers import SERVERS, Server
from servers import TABLE as SERVER_TABLE

BENCHMARKS = launch.HERE
linux = pytest.mark.skipif(sys.platform != "linux", reason="the benchmark runs on Linux")

WRK = """Running 4s test @ http://127.0.0.1:20000/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   684.00us    1.11ms  20.13ms   97.21%
    Req/Sec    74.29k     6.31k   80.97k    85.00%
  Latency Distribution
     50%  684.00us
     75%    0.91ms
     90%    1.22ms
     99%    3.04ms
  148327 requests in 4.01s, 14.43MB read
{trouble}Requests/sec:  36989.28
Transfer/sec:      3.59MB
"""
WRK_TROUBLE = """  Socket errors: connect 1, read 20, write 300, timeout 4000
  Non-2xx or 3xx responses: 50000
"""

AB = """Percentage served,Time in ms
0,0.901
5,1.250
50,4.912
99,8.034
100,11.500
..done

Concurrency Level:      64
Time taken for tests:   4.001 seconds
Complete requests:      52040
Failed requests:        {failed}
   (Connect: 0, Receive: 0, Length: 7, Exceptions: 0)
Non-2xx responses:      3
Requests per second:    13006.75 [#/sec] (mean)

Percentage of the requests served within a certain time (ms)
  50%      5
  99%      8
"""


def test_wrk_report() -> None:
    assert load.parse_wrk(WRK.format(trouble="")) == load.Load(148327, 4.01, 0.684, 3.04, 0)


def test_wrk_errors_are_summed() -> None:
    assert load.parse_wrk(WRK.format(trouble=WRK_TROUBLE)).errors == 54321


@pytest.mark.parametrize(
    ("printed", "ms"), [("296.00us", 0.296), ("5.50ms", 5.5), ("1.20s", 1200), ("1.00m", 60_000)]
)
def test_wrk_units(printed: str, ms: float) -> None:
    assert load.wrk_percentile(99, f"     99%  {printed}\n") == pytest.approx(ms)


def test_ab_report() -> None:
    assert load.parse_ab(AB.format(failed=7)) == load.Load(52040, 4.001, 4.912, 8.034, 10)


@pytest.mark.parametrize("parse", [load.parse_wrk, load.parse_ab, load.parse_load])
def test_an_unknown_report_is_refused(parse: object) -> None:
    with pytest.raises(ValueError, match="something else"):
        parse("something else")


def test_load_report() -> None:
    printed = "148327 requests in 4.0012 s, p50 0.684 ms, p99 3.040 ms, 7 errors\n"
    assert load.parse_load(printed) == load.Load(148327, 4.0012, 0.684, 3.04, 7)


def test_load_commands() -> None:
    wrk = load.wrk_command(PROFILES["browser"], "http://127.0.0.1:20000/", 4)
    assert wrk[:5] == ["wrk", "-t1", "-c64", "-d4s", "--latency"]
    assert "Cache-Control: max-age=0" in wrk
    ab = load.ab_command(PROFILES["ab-close"], "http://127.0.0.1:20000/", 4)
    assert ab[ab.index("-t"):][:2] == ["-t", "4"]
    assert ab.index("-t") < ab.index("-n"), "ab's -t sets -n, too: the later one holds"


def test_wrk_and_ab_are_given_whole_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[str]] = []

    def run(command: list[str], *_: object) -> str:
        given.append(command)
        return WRK.format(trouble="") if command[0] == "wrk" else AB.format(failed=0)

    monkeypatch.setattr(load, "run", run)
    assert load.drive(PROFILES["tls"], 20000, 0.3).requests == 148327
    assert load.drive(PROFILES["tls-new"], 20000, 1.6).requests == 52040
    assert "-d1s" in given[0]
    assert given[1][given[1].index("-t"):][:2] == ["-t", "2"]


def environ_of(profile: Profile) -> dict[str, Any]:
    """What a server makes of the profile's request."""
    fields = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in profile.headers.items()}
    kind = fields.pop("HTTP_CONTENT_TYPE", "")
    environ = {**fields, "REQUEST_METHOD": profile.method, "SCRIPT_NAME": "", "PATH_INFO": "/", "QUERY_STRING": "",
               "CONTENT_TYPE": kind,
               "CONTENT_LENGTH": str(len(profile.body)), "wsgi.input": BytesIO(profile.body),
               "wsgi.file_wrapper": FileWrapper, "HTTP_HOST": "127.0.0.1:20000"}
    setup_testing_defaults(environ)
    return environ


def call(name: str) -> None:
    """Call the application of a profile as a server does, and look at its answer."""
    profile = PROFILES[name]
    module, _, function = profile.app.rpartition(":")
    app = validator(getattr(importlib.import_module(module or "apps"), function))
    statuses: list[str] = []
    answer = app(environ_of(profile), lambda status, headers, *_: statuses.append(status))
    try:
        body = b"".join(answer)
    finally:
        answer.close()
    assert statuses == ["200 OK"]
    assert len(body) == profile.length
    assert profile.contains.encode() in body


@pytest.mark.parametrize("profile", [one for one in TABLE if not one.is_static], ids=lambda profile: profile.name)
def test_each_application_answers_what_its_profile_expects(profile: Profile) -> None:
    if not profile.in_framework:
        call(profile.name)
    elif all(map(importlib.util.find_spec, ("flask", "django", "falcon"))):
        command = [sys.executable, "-c", f"import {__name__} as here; here.call({profile.name!r})"]
        subprocess.run(command, cwd=BENCHMARKS.parent, check=True)  # Django's settings are those of a whole process
    else:
        pytest.skip("no frameworks")


@pytest.mark.parametrize("profile", TABLE, ids=lambda profile: profile.name)
def test_the_profile_table_is_sound(profile: Profile) -> None:
    assert profile.tool in {"wrk", "ab", "load"}
    assert profile.tool == "load" or not (profile.body or profile.varies or profile.depth > 1)
    assert profile.tool != "load" or not profile.tls
    assert PROFILES[profile.name] is profile


def test_the_browser_head_is_of_typical_size() -> None:
    fields = {"Host": "127.0.0.1:20000", **BROWSER_FIELDS}
    head = "GET / HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields.items()) + "\r\n"
    assert len(fields) == 10
    assert 560 <= len(head) <= 600


@pytest.mark.parametrize("profile", TABLE, ids=lambda profile: profile.name)
def test_the_floor_answers_what_the_profile_expects(profile: Profile) -> None:
    answer, pieces = floor.response(profile)
    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 OK\r\n")
    assert profile.contains.encode() in body
    assert profile.streams or len(body) == profile.length
    assert pieces == (20 if profile.streams else 0 if profile.of_file else 1)


def test_requests_that_vary_are_of_one_length() -> None:
    texts = wire.requests(PROFILES["vary"])
    assert len(set(texts)) == wire.VARIETY
    assert len(set(map(len, texts))) == 1
    assert wire.requests(PROFILES["pipeline"])[0].count(b"GET / HTTP/1.1\r\n") == 16
    assert wire.requests(PROFILES["post"])[0].endswith(b"Content-Length: 1024\r\n\r\n" + POST_BODY)


@pytest.mark.parametrize("server", [server for server in SERVER_TABLE if server.tls], ids=lambda server: server.name)
def test_commands_of_tls_name_the_certificate(server: Server) -> None:
    command = " ".join(server.command("python", "hello", 20000, ("c.pem", "k.pem")))
    assert "c.pem" in command
    assert "k.pem" in command
    assert "20000" in command
    assert "+" not in command.split()
    assert "{" not in command


@pytest.mark.parametrize("server", SERVER_TABLE, ids=lambda server: server.name)
def test_the_server_table_is_sound(server: Server) -> None:
    command = server.command("python", "hello", 20000)
    assert any("20000" in argument for argument in command)
    assert server.tool or any("hello" in argument for argument in command)
    assert not server.files or "/files" in " ".join(server.command("python", "hello", 20000, files="/files"))
    assert server.ours or server.native or server.tool or server.distribution in peers.requirements()
    assert SERVERS[server.name] is server



def test_quick_and_its_overrides() -> None:
    options = run.parse(["--quick", "--bursts", "2"])
    assert (options.servers, options.profiles, options.rounds) == ("fastwsgi,fastwsgi-pure", "hello", 1)
    assert options.bursts == 2
    assert options.output != BENCHMARKS, "the committed figures stay"


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(SystemExit, match="unknown: apache; there are floor, fastwsgi, "):
        run.pick("apache,fastwsgi", SERVERS)


@linux
def test_a_session_has_cpu_time_and_memory() -> None:
    with subprocess.Popen([sys.executable, "-c", "print(flush=True); input()"], start_new_session=True,
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert list(measure.stats(process.pid)) == [process.pid]
        assert 0 <= measure.cpu_seconds(process.pid) <= measure.cpu_seconds_at_rest(process.pid)
        assert measure.pss_mib(process.pid) > 0
        process.communicate(b"\n")
    assert measure.stats(process.pid) == {}
    assert measure.cpu_seconds(os.getsid(0)) >= 0


@linux
def test_a_server_runs_for_the_time_of_the_block() -> None:
    server = Server("files", "", ("-m", "http.server", "--bind", "127.0.0.1", "{port}"))
    with launch.running(server, sys.executable, "hello", measure.cores()[1]) as (pid, port):
        assert pid in measure.stats(pid)
        assert port in launch.PORTS
    assert measure.stats(pid) == {}


@linux
def test_a_server_that_does_not_start_is_told_with_its_last_words() -> None:
    server = Server("broken", "", ("-c", "print('no such application')"))
    with pytest.raises(launch.ServerFailed, match="exited at start: no such application"), \
            launch.running(server, sys.executable, "hello", measure.cores()[1]):
        pass
