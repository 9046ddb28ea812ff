"""A list of things to do in Bottle: forms, a template, an upload, a stream; served by `python todo.py`."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import bottle

app = bottle.Bottle()
things: list[str] = []


@app.get("/")
def index() -> str:
    return bottle.template("<!DOCTYPE html><title>To do</title>\n% for thing in things:\n<li>{{thing}}</li>\n% end\n",
                           things=things)  # fmt: skip


@app.post("/")
def add() -> None:
    things.append(bottle.request.forms.getunicode("thing"))
    bottle.redirect("/")


@app.post("/upload")
def upload() -> dict[str, object]:
    file = bottle.request.files.get("file")
    return {"name": file.raw_filename, "size": len(file.file.read())}


@app.get("/stream")
def stream() -> Iterator[str]:
    for number in range(100):
        yield f"line {number}\n"


if __name__ == "__main__":
    bottle.run(app, server="fastwsgi.contrib.bottle:FastWSGIServer", port=int(sys.argv[1]), threads=2)
