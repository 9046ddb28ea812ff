"""The manual page: every setting is in it, and roff's own programs take it without a word."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from fastwsgi.settings import manual
from fastwsgi.settings.arguments import COMMANDS
from fastwsgi.settings.settings import SETTINGS, Setting

PAGE = manual.page()
PLAIN = re.sub(r"\\f[BIR]", "", PAGE).replace("\\-", "-").replace("\\(aq", "'").replace("\\e", "\\")


@pytest.mark.parametrize("setting", SETTINGS.values(), ids=SETTINGS)
def test_each_setting_has_its_entry(setting: Setting[object]) -> None:
    entry = manual.entry(setting)
    assert entry in PAGE
    for flag in setting.flags:
        assert f"\\fB{flag}\\fR".replace("-", "\\-") in entry
    plain = entry.replace("\\-", "-")
    assert setting.kind.metavar.replace("-", "\\-") in entry
    assert f"variable {setting.variable}".lower() in plain.lower() or setting.name == "env"
    assert f"key {setting.name}".lower() in plain.lower()
    assert ("not changed by a reload" in plain.lower()) is not setting.reloadable


def test_an_entry() -> None:
    assert manual.entry(SETTINGS["workers"]) == (
        ".TP\n\\fB\\-w\\fR, \\fB\\-\\-workers\\fR \\fIN\\fR\nWorker processes; auto: one for each usable CPU.\n"
        ".br\nDefault 1; variable FASTWSGI_WORKERS; key workers; changed by a reload.\n"
    )


def test_its_sections() -> None:
    assert re.findall(r"^\.SH (.*)$", PAGE, re.MULTILINE) == [
        *["NAME", "SYNOPSIS", "DESCRIPTION", "CONFIGURATION", "OPTIONS", "LOOKING AT A SERVICE"],
        *["LOGGERS", "SIGNALS", "THE END OF A WORKER", "COVERAGE", "EXIT STATUS", "ENVIRONMENT", "FILES"],
    ]
    groups = {setting.group.capitalize() for setting in SETTINGS.values()}
    assert set(re.findall(r"^\.SS (.*)$", PAGE, re.MULTILINE)) == groups | {"fastwsgi top", "fastwsgi stacks"}
    assert all(f".B {command}\n" in PLAIN for command in COMMANDS)
    assert ".B 2\n" in PLAIN


def test_no_line_is_a_request_by_accident() -> None:
    requests = set(re.findall(r"^[.'](\S*)", PAGE, re.MULTILINE))
    assert requests == {"TH", "SH", "SS", "TP", "B", "br"}
    assert manual.escaped(".so it's a\\b-c") == "\\&.so it\\(aqs a\\eb\\-c"


FORMATTERS = [["mandoc", "-T", "lint", "-W", "error"], ["groff", "-man", "-Tascii", "-ww", "-z"]]


@pytest.mark.parametrize("command", FORMATTERS, ids=["mandoc", "groff"])
def test_formatters_take_it(command: list[str]) -> None:
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]}")
    done = subprocess.run(command, input=PAGE, capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
