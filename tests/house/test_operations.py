"""The manual's files for systemd, Docker, Kubernetes, nginx and HAProxy: well-formed, and true to each other.

Where the program that reads a file is installed, it has the last word.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from configparser import ConfigParser
from pathlib import Path

import pytest

from fastwsgi.settings.arguments import all_flags
from fastwsgi.settings.settings import SETTINGS, Settings
from fastwsgi.settings.subcommands import SUBCOMMANDS
from tests.helpers.pages import PAGES, blocks
from tests.helpers.serving import PATIENCE

DEFAULTS = Settings()
FLAGS = {flag for setting in SETTINGS.values() for flag in setting.flags}
OF_THE_COMMAND = {*all_flags(), *(name for one in SUBCOMMANDS.values() for flag in one.flags for name in flag.names)}
OF_OTHERS = {"--init", "--time", "--initgroups", "-D"}  # Docker's and gunicorn's, in the text
COMMAND_OF_OTHERS = re.compile(r"(?!fastwsgi )[a-z]\S* |fastwsgi .*\|")
OF_THE_SERVER = (
    "application", "behind-proxies", "configuration", "docker", "from-gunicorn", "from-uwsgi", "haproxy", "kubernetes",
    "logs", "metrics", "nginx", "quick-start", "security", "several-machines", "signals", "static-files",
    "status-page", "systemd", "time-limits", "tls", "workers-and-threads",
)  # fmt: skip


def flags_in(text: str) -> set[str]:
    """All options that *text* names."""
    return set(re.findall(r"(?<![\w-])--?[a-z][\w-]*", text))


def checked(*command: str) -> str:
    """What a program prints that is content with a file."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(shutil.which(program) is None, reason=f"{program} is not installed")


@pytest.mark.parametrize("page", OF_THE_SERVER)
def test_the_options_exist(page: str) -> None:
    """Those that prose and tables name; commands are run by ci/manual.py."""
    text = re.sub(r"^```.*?^```$|<!--.*?-->", "", PAGES[page], flags=re.MULTILINE | re.DOTALL)
    text = re.sub(r"`([^`\n]*)`", lambda code: "" if COMMAND_OF_OTHERS.match(code[1]) else code[0], text)
    text = re.sub(r"\]\([^)]*\)", "]", text)
    rows = [line.split("|")[2 if page.startswith("from-") else 1 :] for line in text.splitlines() if line[:2] == "| "]
    prose = [line for line in text.splitlines() if not line.startswith("|")]
    named = flags_in("\n".join([*prose, *("|".join(row) for row in rows)]))
    assert named - FLAGS - OF_THE_COMMAND - OF_OTHERS == set()


# systemd


def units() -> dict[str, ConfigParser]:
    """The units by the end of their names."""
    found = {}
    for kind, text in zip(("socket", "service"), blocks("systemd", "ini")):
        found[kind] = ConfigParser(interpolation=None)
        found[kind].optionxform = str  # type: ignore[assignment, method-assign]
        found[kind].read_string(text)
    return found


def test_the_units_of_systemd() -> None:
    socket, service = units()["socket"], units()["service"]["Service"]
    assert set(socket.sections()) == {"Unit", "Socket", "Install"}
    assert int(socket["Socket"]["Backlog"]) == DEFAULTS.backlog
    assert (service["Type"], service["ExecReload"]) == ("notify", "/bin/kill -HUP $MAINPID")
    assert flags_in(service["ExecStart"].partition(" ")[2]) <= FLAGS
    assert float(service["TimeoutStopSec"]) > DEFAULTS.graceful_timeout + DEFAULTS.drain_delay
    assert f"`--graceful-timeout` ({DEFAULTS.graceful_timeout:g}) and `--drain-delay` ({DEFAULTS.drain_delay:g})" in (
        PAGES["systemd"]
    )


@needs("systemd-analyze")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    for kind, text in zip(("socket", "service"), blocks("systemd", "ini")):
        program = re.sub(r"(?<=^ExecStart=)\S+", "/bin/true", text, flags=re.MULTILINE)
        (tmp_path / f"shop.{kind}").write_text(program)
        (tmp_path / f"shop.{kind}").chmod(0o644)  # of a world-writable one it complains
    assert checked("systemd-analyze", "verify", "--man=no", *map(str, tmp_path.iterdir())) == ""


# Containers


def test_the_dockerfile() -> None:
    lines = dict(line.split(" ", 1) for line in blocks("docker", "dockerfile")[0].splitlines())
    command = json.loads(lines["CMD"])  # the exec form
    assert command[0] == "fastwsgi"
    assert flags_in(" ".join(command)) <= FLAGS
    assert lines["STOPSIGNAL"] == "SIGTERM"
    assert lines["EXPOSE"] == command[command.index("--bind") + 1].rpartition(":")[2]


def number(name: str, text: str) -> float:
    """The number after *name*."""
    found = re.search(rf"{name}\W+(\d+)", text)
    assert found is not None, name
    return float(found[1])


def test_the_pod() -> None:
    text = blocks("kubernetes", "yaml")[0]
    assert "\t" not in text
    assert all(text.count(left) == text.count(right) for left, right in ("[]", "{}"))
    command = json.loads(text[text.index("[") : text.index("]") + 1])
    assert flags_in(" ".join(command)) <= FLAGS
    readiness, liveness = (text.partition(f"{kind}Probe:")[2] for kind in ("readiness", "liveness"))
    for probe, option in ((readiness, "--readiness-path"), (liveness, "--liveness-path")):
        assert f"path: {command[command.index(option) + 1]}," in probe
    delay, patience = number("--drain-delay", text), number("--graceful-timeout", text)
    assert number("terminationGracePeriodSeconds", text) > delay + patience
    assert delay > number("periodSeconds", readiness) * number("failureThreshold", readiness)


# Proxies


NGINX = """daemon off; pid "{folder}/nginx.pid"; error_log stderr; events {{}}
http {{ access_log off;
{paths}
{block} }}
"""
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def test_nginx_closes_first() -> None:
    """Else a request may meet a connection that we close: nginx has 60 s."""
    block = blocks("nginx", "nginx")[0]
    assert block.count("{") == block.count("}") == 3
    assert "keepalive_timeout" not in block
    assert DEFAULTS.keep_alive > 60
    assert f"`--keep-alive` ({DEFAULTS.keep_alive:g})" in PAGES["nginx"]


@needs("nginx")
@pytest.mark.parametrize("kind", ["unix", "tcp"])
def test_nginx_takes_its_file(tmp_path: Path, kind: str) -> None:
    block = blocks("nginx", "nginx")[0]
    block = block.replace("listen 80;", f'listen "unix:{tmp_path}/n";')  # the port may be taken, or root's
    if kind == "tcp":
        block = re.sub(r"^    server unix.*\n    # ", "    ", block, flags=re.MULTILINE)
    paths = "".join(f'{name}_temp_path "{tmp_path}/{name}";' for name in TEMPORARY)
    file = tmp_path / "nginx.conf"
    file.write_text(NGINX.format(folder=tmp_path, paths=paths, block=block))
    assert "test is successful" in checked("nginx", "-t", "-p", str(tmp_path), "-c", str(file))


HAPROXY = """frontend public
    mode http
    timeout client 30s
    bind 127.0.0.1:8080
    default_backend shop
"""


def test_haproxy_asks_and_waits_as_we_are_told() -> None:
    block, text = blocks("haproxy", "haproxy")[0], PAGES["haproxy"]
    assert "GET " + re.findall(r"`--readiness-path (\S+)`", text)[0] in block
    assert number("timeout server", block) > number("--timeout", text)
    assert number("--drain-delay", text) > number("inter", block) * number("fall", block)


@needs("haproxy")
def test_haproxy_takes_its_file(tmp_path: Path) -> None:
    file = tmp_path / "haproxy.cfg"
    file.write_text(HAPROXY + blocks("haproxy", "haproxy")[0])
    assert "WARNING" not in checked("haproxy", "-c", "-f", str(file))
