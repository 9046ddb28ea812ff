"""Flask: a page of some 5 KB, by Jinja."""

from __future__ import annotations

from flask import Flask, render_template

from frameworks.catalogue import ITEMS

app = Flask(__name__)


@app.get("/")
def page() -> str:
    return render_template("flask.html", items=ITEMS, title="Catalogue")
