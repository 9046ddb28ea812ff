"""The completion of each shell, in the shell itself: options, choices of values, files, directories."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from fastwsgi import cli
from fastwsgi.settings import completion
from fastwsgi.settings.settings import SETTINGS

FLAGS = {flag for setting in SETTINGS.values() for flag in setting.flags[: setting.flags.index(setting.flag) + 1]}
LEVELS = {"debug", "info", "warning", "error", "critical"}


def shell(name: str, *arguments: str, folder: Path | None = None) -> str:
    if shutil.which(name) is None:
        pytest.skip(f"there is no {name}")
    done = subprocess.run([name, *arguments], capture_output=True, text=True, timeout=30, cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "certs of mine").mkdir()
    (tmp_path / "cert.pem").touch()
    for name in completion.SHELLS:
        (tmp_path / name).write_text(completion.script(name))
    return tmp_path


COMPLETIONS = [
    (["--log-level", ""], LEVELS),
    (["--log-level", "w"], {"warning"}),
    (["shop:app", "--wor"], {"--workers"}),
    (["-w", "a"], {"auto"}),
    (["--completion", ""], set(completion.SHELLS)),
    (["--keep-alive", ""], set()),
    (["to"], {"top"}),
    (["top", "--"], {"--help", "--config", "--once", "--json", "--interval"}),
    (["stacks", "--con"], {"--config"}),
    (["top", "--interval", ""], set()),
]


@pytest.mark.parametrize(("words", "expected"), COMPLETIONS)
def test_in_bash(folder: Path, words: list[str], expected: set[str]) -> None:
    assert in_bash(folder, *words) == expected


def test_files_and_flags_in_bash(folder: Path) -> None:
    assert in_bash(folder, "-") >= FLAGS
    assert in_bash(folder, "--certfile", "cert") == {"cert.pem", "certs of mine"}
    assert in_bash(folder, "--certfile", "=", "cert.") == {"cert.pem"}
    assert in_bash(folder, "--log-level", "=") == LEVELS
    assert in_bash(folder, "--chdir", "c") == {"certs of mine"}
    assert in_bash(folder, "top", "--config", "cert.") == {"cert.pem"}
    assert "root" in in_bash(folder, "-u", "ro")
    assert shell("bash", "--norc", "-c", ". ./bash; complete -p fastwsgi", folder=folder) == (
        "complete -F _fastwsgi fastwsgi\n"
    )


def in_bash(folder: Path, *words: str) -> set[str]:
    quoted = " ".join(f"'{word}'" for word in ("fastwsgi", *words))
    program = f'. ./bash; COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _fastwsgi; printf "%s\\n" "${{COMPREPLY[@]}}"'
    return set(shell("bash", "--norc", "-c", program, folder=folder).split("\n")) - {""}


@pytest.mark.parametrize(("words", "expected"), COMPLETIONS)
def test_in_fish(folder: Path, words: list[str], expected: set[str]) -> None:
    assert in_fish(folder, *words) == expected


def test_files_and_flags_in_fish(folder: Path) -> None:
    assert {flag for flag in FLAGS if flag.startswith("--")} <= in_fish(folder, "--")
    assert {"cert.pem", "certs of mine/"} <= in_fish(folder, "--certfile", "")
    assert in_fish(folder, "--chdir", "c") == {"certs of mine/"}
    assert "cert.pem" in in_fish(folder, "top", "--config", "cert")


def in_fish(folder: Path, *words: str) -> set[str]:
    program = f". ./fish; complete -C '{' '.join(['fastwsgi', *words])}'"
    lines = shell("fish", "--no-config", "-c", program, folder=folder).splitlines()
    return {line.partition("\t")[0].replace("\\ ", " ") for line in lines}


def test_in_zsh(folder: Path) -> None:
    text = (folder / "zsh").read_text()
    assert text.startswith("#compdef fastwsgi\n")
    assert "'(-w --workers)--workers=[worker processes; auto\\: one for each usable CPU]:value:(auto)'" in text
    assert all(f"{flag}[" in text or f"{flag}=[" in text or f"{flag}+[" in text for flag in FLAGS)
    assert "'--once[print one table, as plain text]'" in text
    shell("zsh", "-fn", "zsh", folder=folder)
    program = "autoload -U compinit; compinit -u -D; . ./zsh; print $_comps[fastwsgi]"
    assert shell("zsh", "-fc", program, folder=folder) == "_fastwsgi\n"


def test_another_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--completion", "tcsh"]) == 2
    assert capsys.readouterr().err == "fastwsgi: --completion 'tcsh' must be bash, zsh or fish\n"
    assert cli.main(["--completion", "fish"]) == 0
    assert capsys.readouterr().out == completion.script("fish")
