"""A Flask application: the routes that all applications here have, then Flask's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import flask

app = flask.Flask(__name__)
app.secret_key = "for tests"


@app.get("/hello")
def hello() -> Any:
    return flask.Response("hello", mimetype="text/plain", headers={"X-Port": flask.request.environ["REMOTE_PORT"]})


@app.post("/echo")
@app.put("/echo")
def echo() -> Any:
    return flask.Response(flask.request.get_data(), mimetype="application/octet-stream")


@app.get("/stream")
def stream() -> Any:
    def pieces() -> Iterator[str]:
        for number in range(20):
            yield f"piece {number}\n"

    return flask.Response(pieces(), mimetype="text/plain")


@app.get("/file")
def file() -> Any:
    return flask.send_file(os.environ["REALAPPS_FILE"], mimetype="application/octet-stream", conditional=True)


@app.get("/fail")
def fail() -> Any:
    raise RuntimeError("meant to fail")


@app.get("/users/<name>")
def user(name: str) -> Any:
    return {"name": name, "args": flask.request.args.to_dict(), "url": flask.url_for("user", name=name)}


@app.post("/form")
def form() -> Any:
    upload = flask.request.files.get("upload")
    return {**flask.request.form, "uploaded": len(upload.read()) if upload else None}


@app.post("/json")
def json() -> Any:
    return {"sum": sum(flask.request.get_json()["numbers"])}


@app.get("/visits")
def visits() -> Any:
    flask.session["visits"] = flask.session.get("visits", 0) + 1
    response = flask.jsonify(visits=flask.session["visits"], seen=flask.request.cookies.get("plain"))
    response.set_cookie("plain", "yes; really")
    return response


@app.get("/moved")
def moved() -> Any:
    return flask.redirect(flask.url_for("hello"))
