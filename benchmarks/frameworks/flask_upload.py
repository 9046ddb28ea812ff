"""Flask: a form with a file, parsed by Werkzeug; the answer is how long the file is."""

from __future__ import annotations

import os

from flask import Flask, request

app = Flask(__name__)


@app.post("/")
def upload() -> str:
    return f"{request.form['title']}: {request.files['file'].seek(0, os.SEEK_END)} bytes"
