"""The page that --reload serves while the application cannot be imported, which says why."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

TITLE = "The application cannot be loaded"
ADVICE = "Mend it and save: it is loaded again."
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>{title}</title>
<style>body {{ font-family: sans-serif; margin: 2em }} pre {{ overflow: auto; padding: 1em; background: #eee }}</style>
<h1>{title}</h1>
<pre>{text}</pre>
<p>{advice}</p>
</html>
"""


def failure_page(text: str) -> WSGIApplication:
    """A WSGI application that answers each request with 500 and *text*, a traceback: HTML for browsers, else plain."""
    plain = f"{TITLE}\n\n{text.rstrip()}\n\n{ADVICE}\n"
    html = PAGE.format(title=escape(TITLE), text=escape(text.rstrip()), advice=escape(ADVICE))

    def app(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        is_browser = "text/html" in environ.get("HTTP_ACCEPT", "")
        body = (html if is_browser else plain).encode("utf-8", "backslashreplace")
        kind = "text/html" if is_browser else "text/plain"
        fields = [
            ("Content-Type", f"{kind}; charset=utf-8"),
            ("Content-Length", str(len(body))),
            ("Cache-Control", "no-store"),
        ]
        start_response("500 Internal Server Error", fields)
        return [body]

    return app
