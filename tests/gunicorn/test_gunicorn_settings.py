"""Gunicorn's settings and options: each is taken over or left out with a reason, and none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.gunicorn import hooks
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.gunicorn.unsupported import ACCEPTED, UNSUPPORTED
from fastwsgi.mistakes import UsageError
from fastwsgi.settings.arguments import PASTE, WORKER_CLASS, all_flags, parse
from fastwsgi.settings.settings import SETTINGS
from fastwsgi.settings.sources import Sources

LINES = [
    line.split()
    for line in (Path(__file__).parent / "settings.txt").read_text().splitlines()
    if not line.startswith("#")
]
# Settings of gunicorn's that say what the command does, as they do here
OWN_FLAGS = {"config": ("-c", "--config"), "check_config": ("--check-config",), "print_config": ("--print-config",)}
FLAGS = {flag: name for name, *flags in LINES for flag in flags}


def test_each_setting_is_known() -> None:
    known = [*TRANSLATIONS, *UNSUPPORTED, *hooks.HOOKS, *OWN_FLAGS]
    assert sorted(known) == sorted(name for name, *_ in LINES)


def test_what_is_taken_is_a_setting() -> None:
    assert {setting.ours for setting in TRANSLATIONS.values()} - {"app", "worker_class"} <= set(SETTINGS)


@pytest.mark.parametrize("flag", FLAGS)
def test_each_option_means_the_same_setting_or_is_left_out(flag: str) -> None:
    name = FLAGS[flag]
    if name == "paste":  # a setting only as an option
        assert flag in PASTE
    elif name in UNSUPPORTED:
        assert flag in UNSUPPORTED[name].flags
    elif name == "worker_class":
        assert flag in WORKER_CLASS
    elif name in OWN_FLAGS:
        assert flag in OWN_FLAGS[name]
        assert flag in all_flags()
    else:
        assert flag in SETTINGS[TRANSLATIONS[name].ours].flags


def test_no_option_is_both_ours_and_left_out() -> None:
    left = [flag for one in UNSUPPORTED.values() for flag in one.flags]
    assert not set(left) & set(all_flags())
    assert len(left) == len(set(left))


@pytest.mark.parametrize("name", [name for name, left in UNSUPPORTED.items() if left.flags])
def test_an_option_that_is_left_out_says_what_to_use(name: str) -> None:
    left = UNSUPPORTED[name]
    words = [left.flags[-1], *(["7"] if left.nargs != 0 else []), "shop"]
    if left.treatment == ACCEPTED:
        assert parse(words).notices == [f"{left.flags[-1]}: {left.instead}"]
        return
    with pytest.raises(UsageError) as caught:
        parse(words)
    assert str(caught.value) == f"{left.flags[-1]}: {left.instead}"
    assert "\n" not in left.instead


SUPERSETS = (
    "--bind 0.0.0.0:8088 --access-logfile - --error-logfile - --workers 1 --worker-class gthread --threads 20 "
    "--timeout 60 --keep-alive 2 --max-requests 0 --max-requests-jitter 0 --limit-request-line 0 "
    "--limit-request-field_size 0"
)
SUPERSETS_MANUAL = (
    "-w 10 -k gevent --worker-connections 1000 --timeout 120 -b 0.0.0.0:6666 --limit-request-line 0 "
    "--limit-request-field_size 0 --statsd-host localhost:8125 --statsd-prefix shop --dogstatsd-tags a:b"
)


@pytest.mark.parametrize(
    ("line", "threads", "told"),
    [
        (SUPERSETS, 20, ["--limit-request-line", "--limit-request-field-size"]),
        (
            SUPERSETS_MANUAL,
            4,
            ["--worker-class", "--limit-request-line", "--limit-request-field-size"],
        ),
    ],
)
def test_public_start_lines_run_unchanged(line: str, threads: int, told: list[str], tmp_path: Path) -> None:
    arguments = parse([*line.split(), "superset.app:create_app()"])
    found = Sources(arguments.flags, arguments.app, None, str(tmp_path)).read({})
    assert (found.app, found.settings.threads, found.settings.limit_request_line) == (arguments.app, threads, 65536)
    assert [notice.split()[0] for notice in found.notices] == told
    assert arguments.notices == []
    assert bool(found.settings.statsd_host) == ("--statsd-host" in line)


def test_gunicorns_variable_names_a_kind_of_worker(tmp_path: Path) -> None:
    found = Sources({}, None, None, str(tmp_path)).read({"GUNICORN_CMD_ARGS": "-k eventlet --threads 9"})
    assert found.settings.threads == 9
    assert found.notices[0].startswith("GUNICORN_CMD_ARGS: --worker-class eventlet: there is no such worker;")


def test_gunicorns_short_forms() -> None:
    words = "-b :80 -w 2 -t 9 -p x.pid -u www -g www -m 22 -n shop -e A=b -e C=d --keep-alive 3 shop:app"
    assert parse(words.split()).flags == {
        "bind": [":80"], "workers": "2", "timeout": "9", "pid": "x.pid", "user": "www", "group": "www",
        "umask": "22", "proc_name": "shop", "env": ["A=b", "C=d"], "keep_alive": "3",
    }


def test_a_switch_can_be_taken_back() -> None:
    assert parse(["--no-preload", "--scanner"]).flags == {"preload": False, "scanner": True}
