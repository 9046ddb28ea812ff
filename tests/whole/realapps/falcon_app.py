"""A Falcon application: the routes that all applications here have, then Falcon's own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import falcon


class Hello:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.text = "hello"
        resp.set_header("X-Port", req.env["REMOTE_PORT"])

    on_head = on_get


class Echo:
    def on_post(self, req: Any, resp: Any) -> None:
        resp.content_type = "application/octet-stream"
        resp.data = req.bounded_stream.read()

    on_put = on_post


class Stream:
    def on_get(self, req: Any, resp: Any) -> None:
        resp.content_type = falcon.MEDIA_TEXT
        resp.stream = self.pieces()

    def pieces(self) -> Iterator[bytes]:
        for number in range(20):
            yield b"piece %d\n" % number


class File:
    def on_get(self, req: Any, resp: Any) -> None:
        path = os.environ["REALAPPS_FILE"]
        resp.content_type = "application/octet-stream"
        resp.set_stream(open(path, "rb"), os.path.getsize(path))


class Fail:
    def on_get(self, req: Any, resp: Any) -> None:
        raise RuntimeError("meant to fail")


class Things:
    """JSON in and out."""

    def __init__(self) -> None:
        self.things: dict[int, Any] = {}

    def on_post(self, req: Any, resp: Any) -> None:
        thing = req.get_media()
        if "name" not in thing:
            raise falcon.HTTPUnprocessableEntity(title="A thing has a name")
        number = len(self.things) + 1
        self.things[number] = thing
        resp.status = falcon.HTTP_201
        resp.location = f"/things/{number}"

    def on_get_one(self, req: Any, resp: Any, number: int) -> None:
        if number not in self.things:
            raise falcon.HTTPNotFound
        resp.media = {"number": number, **self.things[number], "verbose": req.get_param_as_bool("verbose")}

    def on_delete_one(self, req: Any, resp: Any, number: int) -> None:
        del self.things[number]
        resp.status = falcon.HTTP_204


class Parts:
    """A form of several parts."""

    def on_post(self, req: Any, resp: Any) -> None:
        resp.media = {part.name: len(part.stream.read()) for part in req.get_media()}


things = Things()
app = falcon.App()
app.add_route("/hello", Hello())
app.add_route("/echo", Echo())
app.add_route("/stream", Stream())
app.add_route("/file", File())
app.add_route("/fail", Fail())
app.add_route("/things", things)
app.add_route("/things/{number:int}", things, suffix="one")
app.add_route("/parts", Parts())
