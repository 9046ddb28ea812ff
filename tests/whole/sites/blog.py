"""A blog as Flask's tutorial has one: accounts, a login, posts in SQLite; served by `flask --app blog fastwsgi`."""

from __future__ import annotations

import sqlite3

from flask import Flask, flash, g, redirect, render_template, request, session, url_for
from jinja2 import DictLoader
from werkzeug.security import check_password_hash, generate_password_hash

SCHEMA = """
CREATE TABLE IF NOT EXISTS user (name TEXT PRIMARY KEY, password TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS post (id INTEGER PRIMARY KEY, author TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL);
"""
POSTS = "SELECT * FROM post ORDER BY id DESC"
BASE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>Blog</title>
<link rel="icon" href="data:,">
<nav>{{ session.name or "nobody" }}</nav>
{% for message in get_flashed_messages() %}<p class="flash">{{ message }}</p>{% endfor %}
{% block page %}{% endblock %}
</html>
"""
FORM = """{% extends "base.html" %}{% block page %}
<form method="post">{% for name in names %}<input name="{{ name }}">{% endfor %}<button id="send">Send</button></form>
{% endblock %}
"""
INDEX = """{% extends "base.html" %}{% block page %}
{% for post in posts %}<article><h2>{{ post.title }}</h2><p>{{ post.body }}</p> by {{ post.author }}</article>
{% endfor %}
{% endblock %}
"""


def database() -> sqlite3.Connection:
    """The connection of this request."""
    if "database" not in g:
        g.database = sqlite3.connect("blog.sqlite")
        g.database.row_factory = sqlite3.Row
        g.database.executescript(SCHEMA)
    return g.database


def create_app() -> Flask:
    """The blog."""
    app = Flask(__name__)
    app.secret_key = "for a test"
    app.jinja_loader = DictLoader({"base.html": BASE, "form.html": FORM, "index.html": INDEX})

    @app.teardown_appcontext
    def close(error: BaseException | None) -> None:
        if "database" in g:
            g.pop("database").close()

    @app.get("/")
    def index() -> str:
        return render_template("index.html", posts=database().execute(POSTS).fetchall())

    @app.route("/register", methods=["GET", "POST"])
    def register() -> object:
        if request.method == "POST":
            values = request.form["name"], generate_password_hash(request.form["password"])
            with database() as connection:
                connection.execute("INSERT INTO user VALUES (?, ?)", values)
            return redirect(url_for("login"))
        return render_template("form.html", names=["name", "password"])

    @app.route("/login", methods=["GET", "POST"])
    def login() -> object:
        if request.method == "POST":
            found = database().execute("SELECT * FROM user WHERE name = ?", [request.form["name"]]).fetchone()
            if found is not None and check_password_hash(found["password"], request.form["password"]):
                session["name"] = found["name"]
                return redirect(url_for("index"))
            flash("Wrong name or password.")
        return render_template("form.html", names=["name", "password"])

    @app.route("/create", methods=["GET", "POST"])
    def create() -> object:
        if "name" not in session:
            return redirect(url_for("login"))
        if request.method == "POST":
            values = session["name"], request.form["title"], request.form["body"]
            with database() as connection:
                connection.execute("INSERT INTO post (author, title, body) VALUES (?, ?, ?)", values)
            return redirect(url_for("index"))
        return render_template("form.html", names=["title", "body"])

    @app.get("/fail")
    def fail() -> str:
        answer = 6 * 7
        raise RuntimeError(f"not {answer}")

    return app
