"""What a page of the manual shows in fences: commands, files, and what the commands print.

    ```sh           commands, which run
    ```console      commands of programs that cannot run here, such as docker: they are only looked at
    ```text         directly behind sh: lines that those commands print
    `shop.py`:      alone on a line, directly before a fence: that file
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

FENCE = re.compile(r"^(\s*)(`{3,})(.*)$")
FILE_NAME = re.compile(r"^`([^`\s]+)`:$")
ELSEWHERE = {"apt", "apt-get", "brew", "certbot", "docker", "git", "helm", "journalctl", "kubectl", "man", "pip",
             "podman", "sudo", "systemctl", "uv"}  # fmt: skip
"""The programs that console blocks are for."""


@dataclass
class Block:
    """A fence of a page.

    Attributes:
        kind: sh, console, text, file, or "" for what is only shown.
        first: number of the line of its opening fence, from 1 on.
        lines: its contents.
        name: of a file, where it belongs.
        behind: of text, the block that prints it.
    """

    kind: str
    first: int
    lines: list[str]
    name: str = ""
    behind: Block | None = None


class Unfit(ValueError):
    """A page that the test cannot read as it is meant; `str()` of it begins with the number of the line."""


def blocks(page: str) -> list[Block]:
    """The fences of *page*, in order. Raises Unfit."""
    found: list[Block] = []
    for language, name, first, contents, gap in fences(page):
        if language in ("bash", "shell", "shell-session"):
            raise Unfit(f"{first}: a block in {language} would be left out: say sh or console")
        kind = "file" if is_written(name) else language if language in ("sh", "console") else ""
        before = found[-1] if found else None
        if language == "text" and gap and before is not None and before.kind == "sh":
            found.append(Block("text", first, contents, behind=before))
        else:
            found.append(Block(kind, first, contents, name))
        if kind == "console":
            look_at(found[-1])
    return found


def fences(page: str) -> Iterator[tuple[str, str, int, list[str], bool]]:
    """Of each fence language, file name, number of the first line, contents, and whether it follows a fence."""
    lines = page.splitlines()
    last, end = "", ""  # the last line with text; the fence that is open
    first, contents, language, follows = 0, [""], "", False
    for number, line in enumerate(lines, 1):
        fence = FENCE.match(line)
        if end:
            if line.strip() == end:
                named = FILE_NAME.match(last)
                yield language, named[1] if named else "", first, contents, follows
                last, end = end, ""
            else:
                contents.append(line)
        elif fence:
            if fence[1]:
                raise Unfit(f"{number}: an indented fence would be left out")
            first, contents, end = number, [], fence[2]
            language, follows = fence[3].strip(), last.startswith("```")
        elif line.strip():
            last = line
    if end:
        raise Unfit(f"{first}: the fence has no end")


def is_written(name: str) -> bool:
    """Whether the test can write the file of that name: not one of the system or of a home directory."""
    return bool(name) and not name.startswith(("/", "~"))


def look_at(block: Block) -> None:
    """Hold a console block to programs that cannot run here. Raises Unfit."""
    prompts = [line[2:] for line in block.lines if line.startswith("$ ")]
    joined = "\n".join(prompts or block.lines).replace("\\\n", " ")
    for command in filter(str.strip, joined.splitlines()):
        if not command.startswith("#") and not ELSEWHERE & set(re.findall(r"[\w.-]+", command)):
            raise Unfit(f"{block.first}: {command.split()[0]} can run here: show it in a block of sh")
