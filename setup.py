"""Builds the compiled half of fastwsgi; everything else stands in pyproject.toml.

Three kinds of extension modules: NATIVE ones are written in Cython (the byte work), each with a pure twin, `_inbox_c`
and `_inbox_py`; COMPILED_ONLY ones too, and the pure build does without them; SHARED ones compile the text of a pure
module under a second name, `connection.py` -> `_connection_c`, with a .pxd beside it that gives the C types.
All are linked into one file, `_compiled`, from which fastwsgi/backend.py has Python load each under its name: a process
takes 1.2 MB less than with a file each, and a request touches 10 % fewer cache lines of the server's data.
A record of the texts they were compiled from lies beside them: at run time it tells stale modules.
All that a build leaves behind, generated C too, is in build/.

Environment variables:
    FASTWSGI_NO_EXT=1        build pure
    FASTWSGI_REQUIRE_EXT=1   fail where the extensions cannot be built (default: warn loudly and build pure)
    FASTWSGI_SYMBOLS=1       keep the symbols, for a profiler
    FASTWSGI_SANITIZE=1      assertions on, address and undefined-behaviour sanitizers in
    FASTWSGI_SANITIZE=thread assertions on, ThreadSanitizer in: for an interpreter that has it, too
    FASTWSGI_PGO=1           let GCC optimise by what ran in training (ci/train.py): as wheels for Linux are made
"""

import binascii
import json
import os
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.build_py import build_py

NATIVE = (
    "_guard_c",
    "http/_inbox_c",
    "http/_outbox_c",
    "http/_wire_c",
    "http/_turn_c",
    "http/_meter_c",
    "server/_sockio_c",
    "server/_batch_c",
    "tls/_transfer_c",
    "server/_monitor_c",
    "observe/_access_c",
)
COMPILED_ONLY = ("http/_scanner_c", "http/_lines_c", "static/_openat2_c", "process/_deferral_c")
# No modules, but a .pxd each, whose functions become part of those that cimport it
INLINE = ("http/_field_text_c", "observe/_line_text_c")
SHARED = (
    "http/framing",
    "http/head",
    "http/body",
    "http/pace",
    "http/presence",
    "http/routes",
    "http/request_reader",
    "http/service",
    "http/early_hints",
    "http/exchange",
    "http/connection",
    "tls/client_hello",
    "tls/tls_wire",
)
PACKAGE = Path("fastwsgi")
RECORD = "_compiled_sources.json"  # suffix of the modules -> text -> its CRC-32 when it was compiled
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")

DIRECTIVES = {"language_level": 3, "annotation_typing": False, "binding": False, "freethreading_compatible": True}
# The byte work checks its bounds itself; the shared text is plain Python and keeps Python's meaning.
UNCHECKED = {"boundscheck": False, "wraparound": False, "initializedcheck": False, "cdivision": True}

SANITIZERS = {"1": ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"], "thread": ["-fsanitize=thread"]}
NO_ASSERTIONS = [("CYTHON_WITHOUT_ASSERTIONS", "1")]  # those of the shared text hold in the pure build and in tests

# Optimisation by profile: the modules are compiled to count what runs, then for what ran in training. Functions that
# did not run there are compiled as without a profile. The counts of x.o are in x.gcda beside it, so both compile there.
OBJECTS, TRAINING = "build/objects", "build/training"
BY_PROFILE = {
    "count": ["-fprofile-generate"],
    "1": ["-fprofile-use", "-fprofile-partial-training", "-Wno-missing-profile"],
}

NO_PROFILE = "\n*** fastwsgi: NO PROFILE, compiling without one: {}\n"
NOT_COMPILED = "\n*** fastwsgi: NOT COMPILED, installing the pure Python build, which is slower: {}\n"


def wanted(name):
    return os.environ.get(name) == "1"


def compile_options():
    sanitizers = SANITIZERS.get(os.environ.get("FASTWSGI_SANITIZE"))
    if sanitizers:
        return {
            "extra_compile_args": ["-O1", "-g", "-UNDEBUG", "-fno-omit-frame-pointer", *sanitizers],
            "extra_link_args": sanitizers,
        }
    by_profile = BY_PROFILE.get(os.environ.get("FASTWSGI_PGO"), [])
    symbols = wanted("FASTWSGI_SYMBOLS")
    return {
        "extra_compile_args": ["-O2", *(["-g"] if symbols else []), *by_profile],
        "define_macros": NO_ASSERTIONS,
        "extra_link_args": [*(["-Wl,-s"] if sys.platform == "linux" and not symbols else []), *by_profile],
    }


def extension():
    """The file with all modules; translate() gives it its sources."""
    return Extension("fastwsgi._compiled", [], **compile_options())


def translate():
    """The C sources of all modules, made from their texts.

    Always anew: Cython finds dependencies by the name of the source and misses a changed `_connection_c.pxd`.
    """
    from Cython.Build import cythonize
    from Cython.Compiler.Options import get_directive_defaults

    # Objects of each class whose memory is kept for the next ones: saves 300 instructions an Exchange. A decorator for
    # this would have to stand in the text, which cannot import cython, as a .pxd's is ignored.
    get_directive_defaults()["freelist"] = 8
    native = [Extension(dotted(name), [f"fastwsgi/{name}.pyx"]) for name in (*NATIVE, *COMPILED_ONLY)]
    shared = [Extension(dotted("{}/_{}_c".format(*name.split("/"))), [f"fastwsgi/{name}.py"]) for name in SHARED]
    settings = {"force": True, "build_dir": "build/cython", "quiet": True}
    made = cythonize(native, compiler_directives={**DIRECTIVES, **UNCHECKED}, **settings)
    made += cythonize(shared, compiler_directives=DIRECTIVES, **settings)
    return [source for module in made for source in module.sources]


def dotted(name):
    return "fastwsgi." + name.replace("/", ".")


def checksums():
    """The CRC-32 of every text that the modules are made of, by its path in the package."""
    native = [path for pattern in ("**/*.pyx", "**/*.pxd") for path in PACKAGE.glob(pattern)]
    texts = sorted([*native, *(PACKAGE / f"{name}.py" for name in SHARED)])
    return {text.relative_to(PACKAGE).as_posix(): binascii.crc32(text.read_bytes()) for text in texts}


def write_record(package, record):
    """Note what was compiled, beside the notes of other interpreters that share the source tree."""
    path = package / RECORD
    others = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**others, SUFFIX: record}, indent=1) + "\n")


def remove_compiled(package):
    """Remove what an earlier build has made for this interpreter: it would be found, and run."""
    package.joinpath(f"_compiled{SUFFIX}").unlink(missing_ok=True)


def count_what_runs():
    """Build with counters, and train: OBJECTS then has the counts."""
    for folder in (OBJECTS, TRAINING):
        shutil.rmtree(folder, ignore_errors=True)
    path = os.pathsep.join(filter(None, (str(Path(TRAINING).resolve()), os.environ.get("PYTHONPATH"))))
    counting = {**os.environ, "FASTWSGI_PGO": "count", "FASTWSGI_REQUIRE_EXT": "1", "PYTHONPATH": path}
    build = ["setup.py", "-q", "build", "--build-lib", TRAINING, "--build-temp", OBJECTS]
    for command in (build, ["ci/train.py"]):
        subprocess.run([sys.executable, *command], env=counting, check=True)


class BuildExtensions(build_ext):
    """Compiles all or nothing: half a compiled server would be a third build."""

    def finalize_options(self):
        super().finalize_options()
        self.parallel = self.parallel or os.cpu_count()
        if PGO:
            self.build_temp, self.force = OBJECTS, True

    def run(self):
        built = Path(self.build_lib, PACKAGE)
        packages = [built, PACKAGE] if self.inplace else [built]  # in place: made in build/, then copied
        record = checksums()
        try:
            self.compile()
        except Exception as error:
            if wanted("FASTWSGI_REQUIRE_EXT"):
                raise
            print(NOT_COMPILED.format(error), file=sys.stderr)
            self.extensions = []
            for package in packages:
                remove_compiled(package)
        else:
            for package in packages:
                write_record(package, record)

    def compile(self):
        """Compile by a profile if that is wanted and can be done, else without."""
        if PGO:
            try:
                count_what_runs()
                self.compile_once()
                return
            except Exception as error:
                if wanted("FASTWSGI_REQUIRE_EXT"):
                    raise
                print(NO_PROFILE.format(error), file=sys.stderr)
                del os.environ["FASTWSGI_PGO"]
                vars(self.extensions[0]).update(compile_options())
        self.compile_once()

    def compile_once(self):
        self.extensions[0].sources = translate()
        super().run()

    def build_extension(self, extension):
        """Compile the sources side by side, which setuptools does with extensions only; then link."""

        def compiled(source):
            return self.compiler.compile(
                [source],
                output_dir=self.build_temp,
                macros=extension.define_macros,
                debug=self.debug,
                extra_postargs=extension.extra_compile_args,
            )

        with ThreadPoolExecutor(self.parallel) as pool:
            extension.extra_objects = [made for objects in pool.map(compiled, extension.sources) for made in objects]
        extension.sources, extension.depends = [], extension.extra_objects
        super().build_extension(extension)

    def get_outputs(self):
        outputs = super().get_outputs()
        return [*outputs, str(Path(self.build_lib, PACKAGE, RECORD))] if outputs else outputs


class BuildPure(build_py):
    """Builds without extensions."""

    def run(self):
        super().run()
        if self.editable_mode:
            remove_compiled(PACKAGE)


PURE = wanted("FASTWSGI_NO_EXT")
PGO = wanted("FASTWSGI_PGO") and not PURE and os.environ.get("FASTWSGI_SANITIZE") not in SANITIZERS

Path("build").mkdir(exist_ok=True)
setup(
    ext_modules=[] if PURE else [extension()],
    cmdclass={"build_py": BuildPure} if PURE else {"build_ext": BuildExtensions},
    options={"egg_info": {"egg_base": "build"}},
    setup_requires=["httptools>=0.6.4"] if PGO else [],  # training serves
)
