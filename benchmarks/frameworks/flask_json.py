"""Flask: a JSON answer."""

from __future__ import annotations

from flask import Flask

app = Flask(__name__)


@app.get("/")
def greeting() -> dict[str, object]:
    return {"message": "Hello, World!", "items": [1, 2, 3], "more": False}
