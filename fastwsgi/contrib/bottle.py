"""The adapter for `bottle.run(server=...)`.

    bottle.run(server="fastwsgi.contrib.bottle:FastWSGIServer", host="0.0.0.0", port=8080, threads=8)

Its options are the keywords of `fastwsgi.serve`. Bottle's reloader works with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bottle import ServerAdapter  # type: ignore[import-untyped]

import fastwsgi
from fastwsgi.mistakes import Mistake
from fastwsgi.notices import to_stderr
from fastwsgi.server.addresses import join_address

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class FastWSGIServer(ServerAdapter):  # type: ignore[misc]
    """Serves an application of Bottle's."""

    def run(self, handler: WSGIApplication) -> None:
        """Serve *handler* until SIGTERM, SIGINT or, with Bottle's reloader, a change.

        Raises:
            SystemExit: it cannot be served, which is told.
        """
        options = dict(self.options)
        if self.quiet:
            options.setdefault("log_level", "warning")
        if "bind" not in options:
            is_path = self.host.startswith("unix:")
            options["bind"] = self.host if is_path else join_address(self.host, self.port)
        try:
            fastwsgi.serve(handler, **options)
        except (Mistake, fastwsgi.SettingError, fastwsgi.BindError) as error:
            to_stderr(f"fastwsgi: {error}")
            code = 2 if isinstance(error, fastwsgi.SettingError) else getattr(error, "exit_code", 1)
            raise SystemExit(code) from None
