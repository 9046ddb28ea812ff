"""The commands of the README: `python ci/readme.py N` prints its Nth sh block."""

from __future__ import annotations

import re
import sys
from pathlib import Path

README = Path(__file__).resolve().parent.parent / "README.md"
SH_BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def sh_blocks(text: str) -> list[str]:
    """The contents of the sh blocks, in order."""
    return [block.rstrip("\n") for block in SH_BLOCK.findall(text)]


if __name__ == "__main__":
    print(sh_blocks(README.read_text(encoding="utf-8"))[int(sys.argv[1]) - 1])
