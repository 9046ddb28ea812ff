"""A Bottle application: the routes that all applications here have, then Bottle's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bottle

app = bottle.Bottle()

LIST = """<ul>
% for item in items:
  <li>{{item}}</li>
% end
</ul>"""


@app.get("/hello")
def hello() -> Any:
    bottle.response.content_type = "text/plain"
    bottle.response.set_header("X-Port", bottle.request.environ["REMOTE_PORT"])
    return "hello"


@app.route("/echo", method=["POST", "PUT"])
def echo() -> Any:
    bottle.response.content_type = "application/octet-stream"
    return bottle.request.body.read()


@app.get("/stream")
def stream() -> Iterator[bytes]:
    bottle.response.content_type = "text/plain"
    for number in range(20):
        yield b"piece %d\n" % number


@app.get("/file")
def file() -> Any:
    path = Path(os.environ["REALAPPS_FILE"])
    return bottle.static_file(path.name, root=str(path.parent), mimetype="application/octet-stream")


@app.get("/fail")
def fail() -> Any:
    raise RuntimeError("meant to fail")


@app.get("/list")
def items() -> Any:
    return bottle.template(LIST, items=bottle.request.query.decode().getall("item"))


@app.post("/upload")
def upload() -> Any:
    uploaded = bottle.request.files.get("upload")
    return {"name": uploaded.raw_filename, "size": len(uploaded.file.read()), "note": bottle.request.forms.note}


@app.get("/visits")
def visits() -> Any:
    count = int(bottle.request.get_cookie("visits", default="0", secret="for tests")) + 1
    bottle.response.set_cookie("visits", str(count), secret="for tests")
    return {"visits": count}


@app.get("/teapot")
def teapot() -> Any:
    bottle.abort(418, "short and stout")
