"""The servers: how each is started for an application on a port, each a row of one table.

Every server runs one worker process. How many threads it has for the application is the profile's word, {threads}:
one for the smallest applications, with which that was the fastest, and four for frameworks; fastwsgi, gunicorn and
waitress always have four, fastwsgi-t1 one, and freastal, fastpysgi and bjoern have none. Access logs are off. Of the
settings a server offers, it has those that were the fastest when tried; fastpysgi is in twice, since Nagle's algorithm
spares it CPU in pipeline and costs it requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Server:
    """arguments follow the interpreter, with {module}, {app}, {port} and {threads} to fill in; ours: no peer.

    native: the floor, a program of this folder. only: the profiles it is for, if not all.
    tls: what takes the place of the arguments to speak TLS, or with "+" first, what follows them; with {certificate}
    and {key} to fill in. Empty for a server that does not speak it.
    files: what follows the arguments to have it send the files in {files} for /static by itself; empty if it cannot.
    tool: a program of the system that it is, in place of a distribution.
    """

    name: str
    distribution: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ours: bool = False
    native: bool = False
    only: tuple[str, ...] = ()
    tls: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    tool: str = ""

    def command(
        self, python: str, app: str, port: int, pair: tuple[str, str] | None = None, threads: int = 1, files: str = ""
    ) -> list[str]:
        """What starts it for an application, "module:name" or the name of one in apps.

        Args:
            pair: certificate and key, for TLS.
            files: a folder for /static.
        """
        arguments = self.arguments if pair is None else self.tls
        if arguments[0] == "+":
            arguments = (*self.arguments, *arguments[1:])
        if files:
            arguments = (*arguments, *self.files)
        certificate, key = pair or ("", "")
        module, _, app = app.rpartition(":")
        places = {"module": module or "apps", "app": app, "port": port, "threads": threads,
                  "certificate": certificate, "key": key, "files": files}
        return [python, *(argument.format(**places) for argument in arguments)]


FASTWSGI = ("-m", "fastwsgi", "{module}:{app}", "-b", "127.0.0.1:{port}")
STATIC = ("--static", "/static={files}")
CERTIFICATE = ("+", "--certfile", "{certificate}", "--keyfile", "{key}")
FASTPYSGI = ("import {module}, fastpysgi; fastpysgi.server.tcp_nodelay = %d; %s"
             "fastpysgi.run({module}.{app}, '127.0.0.1', {port})")
FASTPYSGI_TLS = "fastpysgi.server.tls_list = [('{certificate}', '{key}')]; "
BESIDE = "import os, sys; os.execv(os.path.join(os.path.dirname(sys.executable), sys.argv[1]), sys.argv[1:])"

TABLE = (
    Server("floor", "", ("floor.py", "{module}:{app}", "{port}"), native=True),
    Server("fastwsgi", "fastwsgi-server", FASTWSGI, {"FASTWSGI_BACKEND": "c"}, ours=True, tls=CERTIFICATE,
           files=STATIC),
    Server("fastwsgi-t1", "fastwsgi-server", (*FASTWSGI, "--threads", "1"), {"FASTWSGI_BACKEND": "c"}, ours=True,
           tls=CERTIFICATE),
    Server("fastwsgi-t16", "fastwsgi-server", (*FASTWSGI, "--threads", "16"), {"FASTWSGI_BACKEND": "c"}, ours=True,
           only=("hello",)),
    Server("fastwsgi-pure", "fastwsgi-server", FASTWSGI, {"FASTWSGI_BACKEND": "py"}, ours=True, tls=CERTIFICATE,
           files=STATIC),
    Server("freastal", "freastal",
           ("-c", "import {module}, freastal; freastal.serve({module}.{app}, '127.0.0.1', {port})")),
    Server("fastpysgi", "fastpysgi", ("-c", FASTPYSGI % (0, "")), tls=("-c", FASTPYSGI % (0, FASTPYSGI_TLS))),
    Server("fastpysgi-nodelay", "fastpysgi", ("-c", FASTPYSGI % (1, "")), tls=("-c", FASTPYSGI % (1, FASTPYSGI_TLS))),
    Server("fastwsgi-0.0.9", "fastwsgi",
           ("-c", "import {module}, fastwsgi; fastwsgi.run({module}.{app}, '127.0.0.1', {port}, loglevel=0)")),
    Server("bjoern", "bjoern-binary",
           ("-c", "import {module}, bjoern; bjoern.run({module}.{app}, '127.0.0.1', {port})")),
    Server("peregrine", "peregrine-server",
           ("-m", "peregrine", "--protocol", "wsgi", "--wsgi-threads", "{threads}", "--port", "{port}",
            "{module}:{app}"),
           tls=("+", "--tls-cert", "{certificate}", "--tls-key", "{key}")),
    Server("granian", "granian",
           ("-m", "granian", "--interface", "wsgi", "--http", "1", "--workers", "1",
            "--blocking-threads", "{threads}", "--http1-pipeline-flush", "--port", "{port}", "{module}:{app}"),
           tls=("+", "--ssl-certificate", "{certificate}", "--ssl-keyfile", "{key}"),
           files=("--static-path-route", "/static", "--static-path-mount", "{files}")),
    Server("m0serve", "m0serve",
           ("-m", "m0serve", "--protocol", "wsgi", "--host", "127.0.0.1", "--port", "{port}", "{module}:{app}")),
    Server("uwsgi", "uWSGI",
           ("-c", BESIDE, "uwsgi", "--http11-socket", "127.0.0.1:{port}", "--so-keepalive", "--pythonpath", ".",
            "--module", "{module}:{app}", "--threads", "{threads}", "--need-app", "--die-on-term",
            "--disable-logging")),
    Server("gunicorn", "gunicorn",
           ("-m", "gunicorn", "-k", "gthread", "--threads", "4", "--keep-alive", "5",
            "--no-control-socket", "-b", "127.0.0.1:{port}", "{module}:{app}"), tls=CERTIFICATE),
    Server("gunicorn-fastwsgi", "gunicorn",
           ("-m", "gunicorn", "-k", "fastwsgi.contrib.gunicorn.Worker", "--threads", "4", "--keep-alive", "75",
            "--no-control-socket", "-b", "127.0.0.1:{port}", "{module}:{app}"), {"FASTWSGI_BACKEND": "c"}, ours=True,
           only=("hello",)),
    Server("waitress", "waitress", ("-m", "waitress", "--listen", "127.0.0.1:{port}", "{module}:{app}")),
    Server("nginx", "", ("nginx.py", "{port}"), files=("{files}",), tool="nginx",
           only=("static1k", "static64k", "static1m")),
)

SERVERS = {server.name: server for server in TABLE}
