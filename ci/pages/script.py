"""The shell script that a page makes: the page itself, of which all that is neither command nor file is an empty line.

So the numbers of lines that bash tells are those of the page.
"""

from __future__ import annotations

import re
from pathlib import Path

from ci.pages.blocks import Block

ASSIGNMENTS = r"((?:[A-Z_]+=(?:'[^']*'|\"[^\"]*\"|\S*)\s+)*)"
SERVER = re.compile(
    rf"^{ASSIGNMENTS}(?=(?:python3? -m )?(?:fastwsgi|gunicorn|waitress-serve|uvicorn|hypercorn|granian|pserve|uwsgi)\b"
    r"|(?:ddtrace-run|newrelic-admin run-program|opentelemetry-instrument) \S"
    r"|(?:flask|python3? -m flask)\b.* (?:run|fastwsgi)\b"
    r"|(?:python3? |\./)?(?:\S*/)?manage\.py (?:runserver|fastwsgi)\b"
    r"|(?:haproxy|nginx) )"
)
PROGRAM = re.compile(rf"^{ASSIGNMENTS}(?=python3? (?:-\S+ )*(\S+\.py)\b)")
ENDS = re.compile(
    r"^(?:\S+=\S+\s+)*(?:python3? -m )?fastwsgi (?:top|stacks)\b"
    r"|(?:^|\s)(?:--check|--check-config|--print-config|--manual|--version|--help|--completion|-h|-v|-t)(?=[\s|]|$)"
)
CALL_THAT_SERVES = re.compile(r"^\s*(?!with\b)(?:[\w.]+\.)?(?:serve|serve_forever|run)\(", re.MULTILINE)
EXIT_CODE = re.compile(r"\s# exit code (\d+)$")


def script(found: list[Block], length: int, skipped: int = 0) -> str:
    """The script of a page of *length* lines, without its first *skipped* blocks of commands."""
    lines = [""] * (length + 1)
    programs: dict[str, str] = {}
    for block in found:
        if block.kind == "file":
            programs[block.name] = "\n".join(block.lines)
            folder = Path(block.name).parent
            lines[block.first] = f"mkdir -p {folder}; cat > {block.name} << 'END OF FILE'"
            lines[block.first + 1 : block.first + 1 + len(block.lines)] = block.lines
            lines[block.first + 1 + len(block.lines)] = "END OF FILE"
        elif block.kind == "sh":
            skipped -= 1
            if skipped < 0:
                lines[block.first + 1 : block.first + 1 + len(block.lines)] = commands(block.lines, programs)
    return "\n".join(lines[1:]) + "\n"


def commands(lines: list[str], programs: dict[str, str]) -> list[str]:
    """Lines of shell, in which those that serve are given to `serve`, and those that are to fail to `expect`."""
    made = []
    goes_on = False
    for line in lines:
        code = EXIT_CODE.search(line)
        if goes_on:
            made.append(line)
        elif code:
            made.append(f"expect {code[1]} {line}")
        else:
            made.append(serving(line, programs))
        goes_on = line.endswith("\\")
    return made


def serving(line: str, programs: dict[str, str]) -> str:
    """A line of shell; if it starts a server, with `serve` in front of the program."""
    bare = re.sub(r"\s#\s.*", "", line)
    if ENDS.search(bare) or bare.rstrip().endswith("&"):
        return line
    if SERVER.match(bare):
        return SERVER.sub(r"\1serve ", line, count=1)
    program = PROGRAM.match(bare)
    if program and CALL_THAT_SERVES.search(programs.get(program[2], "")):
        return PROGRAM.sub(r"\1serve ", line, count=1)
    return line
