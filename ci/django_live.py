#!/usr/bin/env python3
"""Run Django's own tests of its development and live servers, with fastwsgi in their place, in two ways.

    python ci/django_live.py [BUILD]      in both builds, or c or py, with the Django that is installed for this Python

Its tests come with the source distribution, from PyPI. One way is make_server(): as in drop_in.py, a sitecustomize.py
puts our names into wsgiref.simple_server before Django is imported, so that the classes of runserver and
LiveServerTestCase derive from ours, ThreadingMixIn included. The other is the LiveServerThread of
fastwsgi.contrib.django.testing in place of Django's. What may fail is in WAYS, with the reason; anything else that
fails, or one of these that does not, makes the exit code 1.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tarfile
import tempfile
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ci.drop_in import PATIENCE, ROOT, SITECUSTOMIZE

LABELS = ("servers", "staticfiles_tests.test_liveserver")
LIVE = "servers.tests.LiveServerViews"
DEVIATIONS = {
    f"{LIVE}.test_closes_connection_without_content_length": "a stream is sent in chunks, and the connection is kept",
    f"{LIVE}.test_keep_alive_on_connection_with_content_length": "Connection: close is obeyed (RFC 9112 9.6)",
    f"{LIVE}.test_keep_alive_connection_clears_previous_request_data": "Connection: close is obeyed",
}
OF_MAKE_SERVER = {
    "servers.tests.SingleThreadLiveServerViews.test_closes_connection_with_content_length": "one thread serves many "
    "connections, and keeps them",
}
WITH_OUR_THREAD = """
import os
import runpy
import sys

from django.core.servers import basehttp
from django.test import testcases
from fastwsgi.contrib.django import testing


class CountedServer(testing.LiveServer):
    def __init__(self, *arguments, **keywords):
        super().__init__(*arguments, **keywords)
        with open(os.environ["DROP_IN_RECORD"], "a") as record:
            record.write("a server\\n")


testing.LiveServerThread.server_class = basehttp.ThreadedWSGIServer = CountedServer
testcases.LiveServerThread = testcases.LiveServerTestCase.server_thread_class = testing.LiveServerThread
del sys.argv[0]
sys.path[0] = ""
runpy.run_path(sys.argv[0], run_name="__main__")
"""
WAYS = {"make_server": {**DEVIATIONS, **OF_MAKE_SERVER}, "LiveServerThread": DEVIATIONS}
"""What takes the place of Django's, and which tests fail then."""
OUTCOME = re.compile(r"^(?:ERROR|FAIL): .* \(([\w.]+)\)$", re.MULTILINE)
COUNT = re.compile(r"^Ran (\d+) tests", re.MULTILINE)
SKIPPED = re.compile(r"skipped=(\d+)")


def main(builds: list[str]) -> int:
    """Run them in these builds; the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        tests = get_tests(work)
        passed = [run(work, tests, build, way) for way in WAYS for build in builds]
        return 0 if all(passed) else 1


def get_tests(work: Path) -> Path:
    """The tests of the Django that is installed, unpacked."""
    pinned = f"django=={metadata.version('django')}"
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps"]
    subprocess.run([*pip, "--no-binary", "django", "-d", str(work), pinned], check=True)
    with tarfile.open(next(work.glob("[dD]jango-*.tar.gz"))) as opened:
        opened.extractall(work, filter="data")
    return next(work.glob("[dD]jango-*/tests"))


def run(work: Path, tests: Path, build: str, way: str) -> bool:
    """Run them in one build; whether they passed, but for the deviations, and served."""
    record = work / f"servers-{way}-{build}"
    folder = work / way
    folder.mkdir(exist_ok=True)
    program = folder / ("sitecustomize.py" if way == "make_server" else "with_our_thread.py")
    program.write_text(SITECUSTOMIZE if way == "make_server" else WITH_OUR_THREAD)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(folder), str(ROOT))),
        "FASTWSGI_BACKEND": build,
        "DROP_IN_RECORD": str(record),
    }
    begin = [] if way == "make_server" else [str(program)]
    command = [sys.executable, *begin, "runtests.py", "--parallel", "1", "--settings", "test_sqlite", *LABELS]
    done = subprocess.run(
        command, cwd=tests, env=environment, timeout=PATIENCE, check=False, capture_output=True, text=True
    )
    failed = set(OUTCOME.findall(done.stderr))
    count = COUNT.search(done.stderr)
    skipped = SKIPPED.search(done.stderr)
    servers = len(record.read_text().splitlines()) if record.exists() else 0
    for name in sorted(failed & set(WAYS[way])):
        print(f"  {name}: not as in Django: {WAYS[way][name]}")
    wrong = failed ^ set(WAYS[way])
    if wrong or count is None:
        print(done.stdout, done.stderr, f"unexpected: {', '.join(sorted(wrong))}", sep="\n")
    passed = not wrong and count is not None and servers > 0
    ran = f"{count and count[1]} tests, {len(failed)} unlike Django, {skipped[1] if skipped else 0} skipped by Django"
    print(f"{way}, build {build}: {'passed' if passed else 'FAILED'}: {ran}, {servers} servers", flush=True)
    return passed


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["c", "py"]))
