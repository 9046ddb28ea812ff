"""The servers: how each is started for an application on a port, each a row of one table.

Every server runs one worker process, and one thread for the application unless its arguments say
otherwise; fastwsgi runs as it does by default, with four. Access logs are off. Of the settings a
server offers, it has those that were the fastest when tried; fastpysgi is in twice, since Nagle's
algorithm spares it CPU in pipeline and costs it requests.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Server:
    """arguments follow the interpreter, with {app} and {port} to fill in; ours: not one of the peers.

    tls: what takes the place of the arguments to speak TLS, or with "+" first, what follows them; with {certificate}
    and {key} to fill in. Empty for a server that does not speak it.
    """

    name: str
    distribution: str
    arguments: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)
    ours: bool = False
    tls: tuple[str, ...] = ()

    def command(self, python: str, app: str, port: int, pair: tuple[str, str] | None = None) -> list[str]:
        """What starts it; with a *pair* of certificate and key, to speak TLS."""
        arguments = self.arguments if pair is None else self.tls
        if arguments[0] == "+":
            arguments = (*self.arguments, *arguments[1:])
        certificate, key = pair or ("", "")
        places = {"app": app, "port": port, "certificate": certificate, "key": key}
        return [python, *(argument.format(**places) for argument in arguments)]


FASTWSGI = ("-m", "fastwsgi", "apps:{app}", "-b", "127.0.0.1:{port}")
CERTIFICATE = ("+", "--certfile", "{certificate}", "--keyfile", "{key}")
FASTPYSGI = ("import apps, fastpysgi; fastpysgi.server.tls_list = [('{certificate}', '{key}')]; "
             "fastpysgi.server.tcp_nodelay = %d; fastpysgi.run(apps.{app}, '127.0.0.1', {port})")

TABLE = (
    Server("fastwsgi", "fastwsgi-server", FASTWSGI, {"FASTWSGI_BACKEND": "c"}, ours=True, tls=CERTIFICATE),
    Server("fastwsgi-pure", "fastwsgi-server", FASTWSGI, {"FASTWSGI_BACKEND": "py"}, ours=True, tls=CERTIFICATE),
    Server("freastal", "freastal",
           ("-c", "import apps, freastal; freastal.serve(apps.{app}, '127.0.0.1', {port})")),
    Server("fastpysgi", "fastpysgi",
           ("-c", "import apps, fastpysgi; fastpysgi.run(apps.{app}, '127.0.0.1', {port})"),
           tls=("-c", FASTPYSGI % 0)),
    Server("fastpysgi-nodelay", "fastpysgi",
           ("-c", "import apps, fastpysgi; fastpysgi.server.tcp_nodelay = 1; "
            "fastpysgi.run(apps.{app}, '127.0.0.1', {port})"),
           tls=("-c", FASTPYSGI % 1)),
    Server("bjoern", "bjoern",
           ("-c", "import apps, bjoern; bjoern.run(apps.{app}, '127.0.0.1', {port})")),
    Server("peregrine", "peregrine-server",
           ("-m", "peregrine", "--protocol", "wsgi", "--port", "{port}", "apps:{app}"),
           tls=("+", "--tls-cert", "{certificate}", "--tls-key", "{key}")),
    Server("granian", "granian",
           ("-m", "granian", "--interface", "wsgi", "--http", "1", "--workers", "1",
            "--blocking-threads", "1", "--http1-pipeline-flush", "--port", "{port}", "apps:{app}"),
           tls=("+", "--ssl-certificate", "{certificate}", "--ssl-keyfile", "{key}")),
    Server("gunicorn", "gunicorn",
           ("-m", "gunicorn", "-k", "gthread", "--threads", "4", "--keep-alive", "5",
            "--no-control-socket", "-b", "127.0.0.1:{port}", "apps:{app}"), tls=CERTIFICATE),
    Server("waitress", "waitress", ("-m", "waitress", "--listen", "127.0.0.1:{port}", "apps:{app}")),
)

SERVERS = {server.name: server for server in TABLE}
