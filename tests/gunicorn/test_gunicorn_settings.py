"""Gunicorn's settings and options: each is taken over or left out with a reason, and none is forgotten."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.gunicorn import hooks
from fastwsgi.gunicorn.translations import TRANSLATIONS
from fastwsgi.gunicorn.unsupported import ACCEPTED, UNSUPPORTED
from fastwsgi.mistakes import UsageError
from fastwsgi.settings.arguments import all_flags, parse
from fastwsgi.settings.settings import SETTINGS

LINES = [
    line.split()
    for line in (Path(__file__).parent / "settings.txt").read_text().splitlines()
    if not line.startswith("#")
]
# Settings of gunicorn's that say what the command does, as they do here
OWN_FLAGS = {"config": ("-c", "--config"), "check_config": ("--check-config",), "print_config": ("--print-config",)}
FLAGS = {flag: name for name, *flags in LINES for flag in flags}


def test_each_setting_is_known() -> None:
    known = [*TRANSLATIONS, *UNSUPPORTED, *hooks.NAMES, *OWN_FLAGS]
    assert sorted(known) == sorted(name for name, *_ in LINES)


def test_what_is_taken_is_a_setting() -> None:
    assert {setting.ours for setting in TRANSLATIONS.values()} - {"app"} <= set(SETTINGS)


@pytest.mark.parametrize("flag", FLAGS)
def test_each_option_means_the_same_setting_or_is_left_out(flag: str) -> None:
    name = FLAGS[flag]
    if name in UNSUPPORTED:
        assert flag in UNSUPPORTED[name].flags
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


@pytest.mark.parametrize("words", ["-k sync", "-kgthread", "--worker-class=gunicorn.workers.gthread.ThreadWorker"])
def test_the_worker_classes_that_there_are_pass(words: str) -> None:
    arguments = parse([*words.split(), "shop"])
    assert (arguments.app, arguments.flags, arguments.notices) == ("shop", {}, [])


def test_gunicorns_short_forms() -> None:
    words = "-b :80 -w 2 -t 9 -p x.pid -u www -g www -m 22 -n shop -e A=b -e C=d --keep-alive 3 shop:app"
    assert parse(words.split()).flags == {
        "bind": [":80"], "workers": "2", "timeout": "9", "pid": "x.pid", "user": "www", "group": "www",
        "umask": "22", "proc_name": "shop", "env": ["A=b", "C=d"], "keep_alive": "3",
    }


def test_a_switch_can_be_taken_back() -> None:
    assert parse(["--no-preload", "--scanner"]).flags == {"preload": False, "scanner": True}
