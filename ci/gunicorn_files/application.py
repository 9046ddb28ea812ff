"""What both servers serve: it answers with what it finds."""

import json
import os

SHOWN = ("SCRIPT_NAME", "PATH_INFO", "QUERY_STRING", "REMOTE_ADDR", "wsgi.url_scheme", "wsgi.multithread")


def app(environ, start_response):
    """The environ in part, the variables of the files here, and what middleware has added."""
    if environ["PATH_INFO"] == "/failing":
        raise ValueError("the application fails")
    found = {name: environ[name] for name in SHOWN}
    found.update({name: value for name, value in environ.items() if name.startswith(("HTTP_X_", "shop."))})
    found.update({name: value for name, value in os.environ.items() if name.startswith("SHOP_")})
    body = json.dumps(found, sort_keys=True).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
