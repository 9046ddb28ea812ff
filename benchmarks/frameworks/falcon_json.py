"""Falcon: a JSON answer."""

from __future__ import annotations

import falcon


class Greeting:
    def on_get(self, request: falcon.Request, response: falcon.Response) -> None:
        response.media = {"message": "Hello, World!", "items": [1, 2, 3], "more": False}


app = falcon.App()
app.add_route("/", Greeting())
