"""Which of several values counts, and where each came from: flags, environment, files, defaults."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.mistakes import UsageError
from fastwsgi.settings import report
from fastwsgi.settings.arguments import parse
from fastwsgi.settings.sources import Configuration, Sources


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return tmp_path


def read(project: Path, command: str = "", **environment: str) -> Configuration:
    arguments = parse(command.split())
    return Sources(arguments.flags, arguments.app, arguments.config, str(project)).read(environment)


def complaint(project: Path, command: str = "", **environment: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(project, command, **environment)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_flag_then_variable_then_file_then_default(project: Path) -> None:
    (project / "fastwsgi.toml").write_text("workers = 3\nthreads = 3\nbacklog = 3\n")
    found = read(project, "-w 1", FASTWSGI_WORKERS="2", FASTWSGI_THREADS="2")
    settings = found.settings
    assert (settings.workers, settings.threads, settings.backlog, settings.keep_alive) == (1, 2, 3, 75)
    assert found.origins["workers"] == "--workers"
    assert found.origins["threads"] == "FASTWSGI_THREADS"
    assert found.origins["backlog"] == "fastwsgi.toml: backlog"
    assert "keep_alive" not in found.origins


def test_what_hosting_services_set_is_below_our_variables_and_above_the_file(project: Path) -> None:
    (project / "fastwsgi.toml").write_text('bind = "127.0.0.1:1"\nworkers = 9\n')
    found = read(project, PORT="5000", WEB_CONCURRENCY="2")
    assert (found.settings.bind, found.settings.workers) == (["0.0.0.0:5000"], 2)
    assert found.origins["bind"] == "PORT"
    found = read(project, PORT="5000", WEB_CONCURRENCY="2", FASTWSGI_BIND=":1,:2", FASTWSGI_WORKERS="3")
    assert (found.settings.bind, found.settings.workers) == ([":1", ":2"], 3)


def test_beside_gunicorns_file_they_are_defaults_as_they_are_there(project: Path) -> None:
    (project / "g.py").write_text('bind = "127.0.0.1:1"\n')
    found = read(project, "-c g.py", PORT="5000", WEB_CONCURRENCY="2")
    assert (found.settings.bind, found.settings.workers) == (["127.0.0.1:1"], 2)


def test_gunicorns_variable_of_proxies(project: Path) -> None:
    """It counts where nothing else is said; beside gunicorn's file it is the default, as there."""
    (project / "g.py").write_text("")
    (project / "said.py").write_text("forwarded_allow_ips = '10.0.0.3'\n")
    assert read(project).settings.forwarded_allow_ips == []
    assert read(project, FORWARDED_ALLOW_IPS="10.0.0.1,unix").settings.forwarded_allow_ips == ["10.0.0.1", "unix"]
    assert read(project, FORWARDED_ALLOW_IPS="").settings.forwarded_allow_ips == []
    found = read(project, "--forwarded-allow-ips 10.0.0.2", FORWARDED_ALLOW_IPS="10.0.0.1")
    assert found.settings.forwarded_allow_ips == ["10.0.0.2"]
    found = read(project, "-c g.py", FORWARDED_ALLOW_IPS="10.0.0.1")
    assert (found.settings.forwarded_allow_ips, found.origins["forwarded_allow_ips"]) == (
        ["10.0.0.1"],
        "FORWARDED_ALLOW_IPS",
    )
    assert read(project, "-c g.py", FORWARDED_ALLOW_IPS="").notices == []
    assert read(project, "-c said.py", FORWARDED_ALLOW_IPS="10.0.0.1").settings.forwarded_allow_ips == [
        "10.0.0.3",
        "unix",
    ]
    assert read(project, "-c g.py").origins["forwarded_headers"] == "g.py: forwarded_headers, by gunicorn's default"


def test_the_proxy_protocol_without_a_word(project: Path) -> None:
    assert read(project, "--proxy-protocol").settings.proxy_protocol == "optional"
    assert read(project, "--proxy-protocol required").settings.proxy_protocol == "required"
    assert read(project, "--proxy-protocol=auto").settings.proxy_protocol == "optional"


def test_cgis_variable_of_the_prefix(project: Path) -> None:
    assert read(project, "", SCRIPT_NAME="/shop").settings.root_path == "/shop"
    found = read(project, "-e SCRIPT_NAME=/store", SCRIPT_NAME="/shop")
    assert (found.settings.root_path, found.origins["root_path"]) == ("/store", "SCRIPT_NAME")
    assert read(project, "--root-path /mine", SCRIPT_NAME="/shop").settings.root_path == "/mine"
    assert complaint(project, SCRIPT_NAME="shop").startswith("SCRIPT_NAME 'shop' must be a path that starts with")


def test_gunicorns_variable_of_options(project: Path) -> None:
    (project / "g.py").write_text("threads = 9\nworkers = 9\n")
    options = "-c g.py --workers=2 --name 'the shop' --worker-tmp-dir /dev/shm"
    found = read(project, "-t 5", GUNICORN_CMD_ARGS=options)
    settings = found.settings
    assert (settings.workers, settings.threads, settings.timeout, settings.proc_name) == (2, 9, 5, "the shop")
    assert found.origins["workers"] == "GUNICORN_CMD_ARGS: --workers"
    assert [notice.partition(": not needed")[0] for notice in found.notices] == ["GUNICORN_CMD_ARGS: --worker-tmp-dir"]
    assert complaint(project, GUNICORN_CMD_ARGS="-D").startswith("GUNICORN_CMD_ARGS: -D: it stays")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *((text, True) for text in ("1", "true", "Yes", "on")),
        *((text, False) for text in ("0", "false", "NO", "off")),
    ],
)
def test_switches_in_variables(project: Path, text: str, value: bool) -> None:
    found = read(project, FASTWSGI_PRELOAD=text, FASTWSGI_SCANNER=text)
    assert (found.settings.preload, found.settings.scanner) == (value, value)


def test_assignments_and_paths_in_variables(project: Path) -> None:
    found = read(project, FASTWSGI_ENV="A=1 B='x y'", FASTWSGI_CERTFILE="a.pem,b.pem", FASTWSGI_NAME="shop")
    assert (found.settings.env, found.settings.certfile) == (["A=1", "B=x y"], ["a.pem", "b.pem"])
    assert (found.settings.proc_name, found.origins["proc_name"]) == ("shop", "FASTWSGI_NAME")


def test_an_empty_variable_says_nothing_unless_its_setting_can_be_empty(project: Path) -> None:
    found = read(project, FASTWSGI_WORKERS="", FASTWSGI_SERVER_HEADER="", PORT="", WEB_CONCURRENCY="", FASTWSGI_APP="")
    assert (found.settings.workers, found.settings.server_header, found.app) == (1, "", None)


def test_the_application(project: Path) -> None:
    (project / "fastwsgi.toml").write_text('app = "shop:file"\n')
    assert read(project).app == "shop:file"
    assert read(project, FASTWSGI_APP="shop:variable").app == "shop:variable"
    found = read(project, "shop:line", FASTWSGI_APP="shop:variable")
    assert (found.app, found.origins["app"]) == ("shop:line", "command line")


def test_the_directory_holds_for_the_file_and_becomes_absolute(project: Path) -> None:
    (project / "sub").mkdir()
    (project / "sub" / "fastwsgi.toml").write_text("workers = 3\n")
    (project / "c.toml").write_text('chdir = "sub"\nworkers = 4\n')
    assert read(project, "--chdir sub").settings.workers == 3
    found = read(project, "-c c.toml")
    assert (found.settings.chdir, found.settings.workers) == (str(project / "sub"), 4)


COMPLAINTS = [
    ("", {"FASTWSGI_WORKERS": "four"}, "FASTWSGI_WORKERS 'four' must be auto or a whole number from 1 to 2147483647"),
    ("", {"FASTWSGI_TRACE": "maybe"}, "FASTWSGI_TRACE 'maybe' must be 1, true, yes or on, or else 0, false, no or off"),
    ("", {"PORT": "http"}, "PORT 'http' must be a port number, from 0 to 65535"),
    ("", {"WEB_CONCURRENCY": "x"}, "WEB_CONCURRENCY 'x' must be auto or a whole number from 1 to 2147483647"),
    (
        "",
        {"FORWARDED_ALLOW_IPS": "proxy"},
        "FORWARDED_ALLOW_IPS 'proxy' must be addresses, networks, unix or *: "
        "'proxy' does not appear to be an IPv4 or IPv6 network",
    ),
    ("", {"FASTWSGI_ENV": "A='"}, "FASTWSGI_ENV \"A='\" must be NAME=VALUE, quoted as for a shell"),
    ("-m 9", {}, "--umask '9' must be permission bits in octal, from 000 to 777, such as 022"),
    ("-e A", {}, "--env 'A' must be NAME=VALUE"),
    ("--chdir nowhere", {}, "--chdir nowhere: No such file or directory"),
    ("", {"FASTWSGI_CHDIR": "nowhere"}, "FASTWSGI_CHDIR nowhere: No such file or directory"),
    (
        "--liveness-path /up --readiness-path /up",
        {},
        "--liveness-path and --readiness-path are both /up; each needs a path of its own",
    ),
]


@pytest.mark.parametrize(("command", "environment", "line"), COMPLAINTS)
def test_complaints_name_the_place(project: Path, command: str, environment: dict[str, str], line: str) -> None:
    assert complaint(project, command, **environment) == line


def test_unknown_variables_get_one_line(project: Path) -> None:
    known = {"FASTWSGI_BACKEND": "c", "FASTWSGI_NO_EXT": "1", "FASTWSGI_CONFIG": ""}
    found = read(project, FASTWSGI_WORKER="3", FASTWSGI_SHOP="test", **known)
    assert found.notices == [
        "no such setting, from the environment: FASTWSGI_SHOP, FASTWSGI_WORKER (did you mean FASTWSGI_WORKERS?)"
    ]


WITHOUT_EFFECT = {
    "--max-requests-jitter 5": "--max-requests-jitter has no effect without --max-requests",
    "--forwarded-hops 2": "--forwarded-hops has no effect without --forwarded-allow-ips",
    "--forwarded-headers forwarded": "--forwarded-headers has no effect without --forwarded-allow-ips",
    "--proxy-allow-from ::1": "--proxy-allow-from has no effect without --proxy-protocol",
    "--timeout 5 --slow-log 6": "--slow-log has no effect: it is not below the time-out of 5 s",
    "--access-log-format json": "--access-log-format has no effect without --access-logfile",
    "--socket-mode 660": "--socket-mode has no effect without a unix socket in --bind",
    "--preload --reload": "--preload has no effect with --reload, which loads the application anew",
}


@pytest.mark.parametrize("command", WITHOUT_EFFECT)
def test_what_has_no_effect_is_told(project: Path, command: str) -> None:
    found = read(project, command)
    assert found.notices == [WITHOUT_EFFECT[command]]
    assert found.settings.preload is False


def test_the_report_is_aligned(project: Path) -> None:
    found = read(project, "--no-scanner shop:app", FASTWSGI_ENV="", PORT="80")
    lines = report.table(found).splitlines()
    assert {line.index(line.split()[1]) for line in lines} == {lines[0].index("shop:app")}
    rows = {name: (value, origin) for name, value, origin in (line.split(maxsplit=2) for line in lines)}
    assert rows["app"] == ("shop:app", "command line")
    assert rows["scanner"] == ("off", "--no-scanner")
    assert rows["bind"] == ("0.0.0.0:80", "PORT")
    assert rows["pid"] == ("none", "default")
    assert rows["limit_request_body"] == ("1G", "default")
