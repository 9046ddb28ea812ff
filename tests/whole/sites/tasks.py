"""A list of tasks in Pyramid: views, a session, a renderer and static files; served by `pserve tasks.ini`."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

from pyramid.config import Configurator
from pyramid.httpexceptions import HTTPBadRequest, HTTPFound
from pyramid.session import SignedCookieSessionFactory
from pyramid.view import view_config


@contextmanager
def database(request: Any) -> Iterator[sqlite3.Connection]:
    """The tasks, committed at the end."""
    with closing(sqlite3.connect(request.registry.settings["tasks.path"])) as connection, connection:
        connection.execute("CREATE TABLE IF NOT EXISTS task (id INTEGER PRIMARY KEY, name TEXT, is_open INTEGER)")
        yield connection


@view_config(route_name="list", renderer="json")
def tasks(request: Any) -> dict[str, Any]:
    request.session["visits"] = request.session.get("visits", 0) + 1
    with database(request) as connection:
        rows = connection.execute("SELECT id, name FROM task WHERE is_open ORDER BY id").fetchall()
    links = [request.route_path("close", id=row[0]) for row in rows]
    return {"tasks": [row[1] for row in rows], "links": links, "visits": request.session["visits"]}


@view_config(route_name="new", request_method="POST")
def new(request: Any) -> Any:
    name = request.POST.get("name", "")
    if not name:
        raise HTTPBadRequest("a task needs a name")
    with database(request) as connection:
        connection.execute("INSERT INTO task (name, is_open) VALUES (?, 1)", [name])
    return HTTPFound(request.route_url("list"))


@view_config(route_name="close", request_method="POST")
def close(request: Any) -> Any:
    with database(request) as connection:
        connection.execute("UPDATE task SET is_open = 0 WHERE id = ?", [request.matchdict["id"]])
    return HTTPFound(request.route_url("list"))


def main(general: dict[str, str], **settings: str) -> Any:
    """The application, as PasteDeploy asks for it."""
    with Configurator(settings=settings) as config:
        config.set_session_factory(SignedCookieSessionFactory("for a test"))
        config.add_static_view("static", settings["tasks.static"])
        config.add_route("list", "/")
        config.add_route("new", "/new")
        config.add_route("close", "/close/{id}")
        config.scan("tasks")
        return config.make_wsgi_app()
