"""Runs the commands of the manual: `python ci/manual.py [PAGE...]`; a page whose commands fail makes the exit code 1.

The sh blocks of a page run in order in one empty folder, which is also HOME, by one bash that ends at the first
failure, with the programs of the running virtual environment. ci/pages/blocks.py tells how files, and what commands
print, are told from the rest.

- A line that starts a server (ci/pages/script.py knows them) is waited for until it serves. The next such line, or the
  end of the page, ends it by SIGTERM.
- A line that is to fail says so: `fastwsgi nothing:app  # exit code 1`.
- Lines of a text block directly behind must be among those that the page has printed, in order. Digits and the names
  of days and months may differ, and `...` stands for any lines.

Each page has a network and processes of its own where `unshare` can give it these, so it may use any port, and two
pages run side by side. Elsewhere they run one after the other, on the ports of the machine.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ci.pages.blocks import Block, Unfit, blocks
from ci.pages.script import script

ROOT = Path(__file__).resolve().parent.parent
PATIENCE = 120.0  # seconds for a page
RUN_BY_OTHERS = {"README.md": 2}  # blocks that .ci/run and ci/smoke.sh run
VARYING = re.compile(r"\d+|\b(Mon|Tue|Wed|Thu|Fri|Sat|Sun|Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")
# An entry within a line, and what is behind it
WITHIN = re.compile(r"(?<=[^\n])(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} \[\d+\] .*\n)(.*\n?)")
OWN_NETWORK = (
    "setpriv", "--pdeathsig", "KILL",  # unshare, with all in it, ends with this command, however that ends
    "unshare", *(() if os.geteuid() == 0 else ("--map-root-user",)),
    "--net", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc",
)  # fmt: skip
LOOPBACK = """
import fcntl, os, socket, struct, sys
fcntl.ioctl(socket.socket(), 0x8914, struct.pack("16sh14x", b"lo", 1))  # SIOCSIFFLAGS, IFF_UP
os.execvp(sys.argv[1], sys.argv[1:])
"""


def pages() -> list[Path]:
    """All of the manual."""
    return [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def can_isolate() -> bool:
    return subprocess.run([*OWN_NETWORK, "true"], capture_output=True, check=False).returncode == 0


def surroundings(home: Path, around: Path) -> dict[str, str]:
    """The environment of the commands: nothing configures them but the page."""
    return {
        "PATH": f"{Path(sys.prefix, 'bin')}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONUNBUFFERED": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_ROOT_USER_ACTION": "ignore",
        "BASH_ENV": str(ROOT / "ci" / "pages" / "around.sh"),
        "SERVE": str(ROOT / "ci" / "pages" / "serve.py"),
        "AROUND": str(around),
    }


def run(page: Path, isolated: bool) -> str:
    """Run a page; what is amiss, with what it has printed, or ""."""
    text = page.read_text(encoding="utf-8")
    try:
        found = blocks(text)
    except Unfit as error:
        return f"line {error}"
    made = script(found, len(text.splitlines()), RUN_BY_OTHERS.get(page.name, 0))
    if not made.strip():
        return ""
    with tempfile.TemporaryDirectory() as folder:
        home, around = Path(folder, "home"), Path(folder, "around")
        home.mkdir()
        around.mkdir()
        os.mkfifo(around / "ready")
        (around / page.name).write_text(made)
        code = execute(["bash", str(around / page.name)], isolated, home, around)
        printed = (around / "printed").read_text(errors="replace").replace(f"{around}/", "")
    faults = [] if code == 0 else [f"exit code {code}" if code > 0 else f"no end after {PATIENCE:g} s"]
    faults = faults or (unprinted(found, printed.splitlines()) and unprinted(found, untangled(printed).splitlines()))
    return "\n".join([*faults, *printed.splitlines()[-30:]]) if faults else ""


def execute(command: list[str], isolated: bool, home: Path, around: Path) -> int:
    """Run *command* into the file `printed`; its exit code, or a negative one if it was killed for its time."""
    if isolated:
        command = [*OWN_NETWORK, sys.executable, "-I", "-c", LOOPBACK, *command]
    with (around / "printed").open("w") as printed:
        process = subprocess.Popen(
            command, cwd=home, env=surroundings(home, around), stdin=subprocess.DEVNULL, stdout=printed,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            return -1
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def unprinted(found: list[Block], printed: list[str]) -> list[str]:
    """The lines that the page says its commands print, and that they do not."""
    faults = []
    had = list(map(alike, printed))
    for block in found:
        start = 0
        for line in block.lines if block.kind == "text" else ():
            if line.strip() in ("", "...", "…"):
                continue
            if alike(line) in had[start:]:
                start += had[start:].index(alike(line)) + 1
            else:
                faults.append(f"line {block.first}: this is not printed: {line}")
    return faults


def untangled(printed: str) -> str:
    """*printed* with entries of the log that are in the middle of a line behind it: curl writes lines in pieces."""
    return WITHIN.sub(r"\2\1", printed)


def alike(line: str) -> str:
    """A line without what differs from run to run."""
    return VARYING.sub("0", line.strip())


def main() -> int:
    wanted = [Path(name).resolve() for name in sys.argv[1:]] or pages()
    isolated = can_isolate()
    if not isolated:
        print("no namespaces here: the pages run one after the other, on the ports of this machine")
    failed = 0

    def tell(page: Path) -> int:
        start = time.monotonic()
        fault = run(page, isolated)
        name = os.path.relpath(page, ROOT)
        print(f"{name}: {fault or 'all well'}, {time.monotonic() - start:.1f} s", flush=True)
        return bool(fault)

    with ThreadPoolExecutor(2 if isolated else 1) as threads:
        failed = sum(threads.map(tell, wanted))
    print(f"{len(wanted) - failed} pages passed, {failed} failed")
    return bool(failed)


if __name__ == "__main__":
    sys.exit(main())
