"""Runs targets under libFuzzer: an instrumented build in build/fuzz, and rounds in which the targets take turns.

The fuzzer is a program that embeds Python (fuzzer.c), linked with AddressSanitizer and UndefinedBehaviorSanitizer;
the compiled modules and httptools report to it which of their edges were run.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from importlib import import_module
from pathlib import Path

LONGEST_TURN = 900.0  # seconds
SLOWEST = 10  # seconds for one input: more is a find
LARGEST = 1024  # MiB of memory: more is a find
INPUT = 8192  # bytes of an input at most
SANITIZERS = "address,undefined"
BUILT_FROM = re.compile(r"fastwsgi/.*\.(py|pyx|pxd)|setup\.py|ci/fuzzing/(fuzzer\.c|guided\.py|ignored\.txt)")
STATISTICS = re.compile(r"stat::(number_of_executed_units|peak_rss_mb):\s+([0-9]+)")


class Guided:
    """The fuzzer and its files.

    Args:
        root: of the repository.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / "build/fuzz"
        self.tree = self.home / "tree"
        self.python = self.home / "venv/bin/python"
        self.fuzzer = self.home / "fuzzer"

    def run(self, targets: list[str], seconds: float) -> int:
        """Fuzz for *seconds* in all: the number of finds."""
        self.build()
        end = time.monotonic() + seconds
        finds = 0
        while True:
            left = end - time.monotonic()
            if left < len(targets):  # seconds
                return finds
            for name in targets:
                finds += self.fuzz(name, int(min(left / len(targets), LONGEST_TURN)))

    # The build

    def build(self) -> None:
        """Make the fuzzer, unless it is there for these very sources."""
        sources = self.sources()
        digest = hashlib.sha256(sys.version.encode())
        for source in sources:
            if BUILT_FROM.fullmatch(source):
                digest.update((self.root / source).read_bytes())
        self.copy(sources)
        stamp = self.home / "built-from"
        if stamp.exists() and stamp.read_text() == digest.hexdigest():
            return
        print("building the instrumented modules", flush=True)
        self.build_modules()
        self.build_fuzzer()
        stamp.write_text(digest.hexdigest())

    def sources(self) -> list[str]:
        """The files of the work tree, by their paths."""
        listed = subprocess.run(
            ["git", "ls-files", "-coz", "--exclude-standard"], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.split("\0")
        return sorted(one for one in listed if one and (self.root / one).is_file())

    def copy(self, sources: list[str]) -> None:
        """Copy what has changed into the tree, and take out what is gone."""
        for source in sources:
            there = self.tree / source
            text = (self.root / source).read_bytes()
            if not there.exists() or there.read_bytes() != text:
                there.parent.mkdir(parents=True, exist_ok=True)
                there.write_bytes(text)
        for there in self.tree.glob("fastwsgi/**/*.py"):
            if not (self.root / there.relative_to(self.tree)).exists():
                there.unlink()

    def build_modules(self) -> None:
        """Compile with clang, so that the edges are counted."""
        shutil.rmtree(self.home / "venv", ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", self.python.parents[1]], check=True)
        install = [self.python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        flags = f"-fsanitize=fuzzer-no-link -fsanitize-ignorelist={self.root}/ci/fuzzing/ignored.txt"
        ours = {**os.environ, "CC": "clang", "CFLAGS": flags, "FASTWSGI_SANITIZE": "1", "FASTWSGI_REQUIRE_EXT": "1"}
        llhttp = {**ours, "CFLAGS": f"-O1 -g {flags} -fsanitize={SANITIZERS} -fno-sanitize-recover=all"}
        pinned = ["--no-binary=httptools", "--no-cache-dir", "-r", self.root / "ci/requirements.txt"]
        subprocess.run([*install, *pinned], env=llhttp, check=True)
        subprocess.run([*install, "-e", self.tree], env=ours, check=True)

    def build_fuzzer(self) -> None:
        """Link libFuzzer and Python into one program."""
        said = sysconfig.get_config_vars()
        libraries = [f"-lpython{said['LDVERSION']}", *said["LIBS"].split(), *said["SYSLIBS"].split()]
        where = [f"-L{said[name]}" for name in ("LIBDIR", "LIBPL")]
        source = self.root / "ci/fuzzing/fuzzer.c"
        options = ["-O1", "-g", f"-fsanitize=fuzzer,{SANITIZERS}", f"-I{said['INCLUDEPY']}", "-rdynamic"]
        command = ["clang", *options, source, "-o", self.fuzzer, *where, f"-Wl,-rpath,{said['LIBDIR']}", *libraries]
        subprocess.run(command, check=True)

    # A turn

    def fuzz(self, name: str, seconds: int) -> int:
        """One turn of a target: 1 if it ended with a find."""
        corpus, seeds, finds = (self.home / part for part in (f"corpus/{name}", f"seeds/{name}", "finds"))
        for folder in (corpus, seeds, finds):
            folder.mkdir(parents=True, exist_ok=True)
        for number, seed in enumerate(import_module(f"ci.fuzzing.{name}").seeds()):
            (seeds / str(number)).write_bytes(seed)
        log = self.home / f"{name}.log"
        with log.open("w") as output:
            ended = subprocess.run(
                [
                    *[self.fuzzer, f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-rss_limit_mb={LARGEST}"],
                    *[f"-max_len={INPUT}", "-print_final_stats=1", f"-artifact_prefix={finds}/{name}-"],
                    *[f"-dict={self.tree}/ci/fuzzing/http.dict", corpus, seeds],
                ],
                env=self.environment(name),
                stdout=output,
                stderr=subprocess.STDOUT,
            ).returncode
        text = log.read_text(errors="replace")
        said = ", ".join(f"{word}: {number}" for word, number in STATISTICS.findall(text))
        edges = re.findall(r"cov: ([0-9]+)", text)
        print(f"{name}: {seconds} s, edges: {edges[-1] if edges else '?'}, {said}, status {ended}", flush=True)
        if ended:
            print(text[-6000:])
        return 1 if ended else 0

    def environment(self, name: str) -> dict[str, str]:
        """Every Python object is an allocation that the sanitizer sees; leaks are told by ci/leaks.py."""
        packages = next((self.home / "venv/lib").glob("python*/site-packages"))
        path = [self.tree, packages]
        return {
            **os.environ,
            "FUZZ_TARGET": name,
            "PYTHONHOME": sys.base_prefix,
            "PYTHONPATH": os.pathsep.join(map(str, path)),
            "PYTHONMALLOC": "malloc",
            "ASAN_OPTIONS": "detect_leaks=0",
            "UBSAN_OPTIONS": "print_stacktrace=1",
        }
