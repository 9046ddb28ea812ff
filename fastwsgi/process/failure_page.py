"""The page that --reload serves while the application cannot be imported.

Clients on this machine are told why. A traceback shows code, paths and values, so others are told only that it is so:
who comes from another address, by a unix socket, before which there is a proxy as a rule, or with a field by which
proxies say whom they speak for. So is a client that asks for another host than this machine (http/host_names.py has
the reason).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fastwsgi.http.forwarded import PEER
from fastwsgi.http.host_names import is_localhost, name_in
from fastwsgi.http.peers import LOOPBACK

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PROXIED = (
    *("HTTP_FORWARDED", "HTTP_X_FORWARDED_", "HTTP_X_ORIGINAL_FORWARDED_FOR", "HTTP_VIA"),
    *("HTTP_X_REAL_IP", "HTTP_X_CLIENT_IP", "HTTP_TRUE_CLIENT_IP", "HTTP_CF_CONNECTING_IP"),
)
"""How the keys of fields begin that proxies add."""
TITLE = "The application cannot be loaded"
ADVICE = "Mend it and save: it is loaded again."
HIDDEN = "The error log of the server says why."
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 2em }} pre {{ overflow: auto; padding: 1em; background: #eee }}</style>
<h1>{title}</h1>
<pre>{text}</pre>
<p>{advice}</p>
</html>
"""


def is_local(environ: WSGIEnvironment) -> bool:
    """Whether a request comes from this machine, as far as can be seen."""
    addresses = environ["REMOTE_ADDR"], str(environ.get(PEER, environ["REMOTE_ADDR"]))
    return (
        not any(key.startswith(PROXIED) for key in environ)
        and all(one in LOOPBACK for one in addresses)
        and _means_this_machine(environ.get("HTTP_HOST", ""))
    )


def _means_this_machine(host: str) -> bool:
    """Whether a Host field names this machine."""
    name = name_in(host)
    try:
        return is_localhost(name) or (bool(name) and name.strip("[]") in LOOPBACK)
    except ValueError:
        return False


def failure_page(text: str) -> WSGIApplication:
    """A WSGI application that answers each request with 500 and *text*, a traceback: HTML for browsers, else plain.

    "" is shown to nobody.
    """

    from html import escape

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        shown = (text.rstrip() if is_local(environ) else "") or HIDDEN
        is_browser = "text/html" in environ.get("HTTP_ACCEPT", "")
        page = PAGE.format(title=escape(TITLE), text=escape(shown), advice=escape(ADVICE))
        plain = f"{TITLE}\n\n{shown}\n\n{ADVICE}\n"
        body = (page if is_browser else plain).encode("utf-8", "backslashreplace")
        kind = "text/html" if is_browser else "text/plain"
        fields = [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response("500 Internal Server Error", fields)
        return [body]

    return app
