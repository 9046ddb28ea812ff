# ruff: noqa: PT009, PT027  # unittest runs it
"""The project's own tests, on a live server; `manage.py test`."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from urllib.error import HTTPError
from urllib.request import urlopen

from django.contrib.staticfiles.testing import StaticLiveServerTestCase

from books.models import Book
from fastwsgi.contrib.django.testing import LiveServer, LiveServerThread


class LiveTests(StaticLiveServerTestCase):
    """What a browser would see, with a database in memory that all threads share."""

    server_thread_class = LiveServerThread

    def get(self, path: str) -> bytes:
        with urlopen(f"{self.live_server_url}{path}") as answer:
            self.assertEqual(answer.headers["Server"], "fastwsgi")
            return answer.read()

    def test_threads_share_the_database(self) -> None:
        Book.objects.create(title="Emma", file="emma.txt")
        with ThreadPoolExecutor(8) as pool:  # they only read: transactions on one connection would get into each other
            answers = list(pool.map(self.get, ["/lines/?count=3"] * 24))
        self.assertEqual({answer.count(b"of 1 books") for answer in answers}, {3})
        self.assertIn(b"Emma", self.get("/"))

    def test_static_files_come_from_the_applications(self) -> None:
        self.assertIn(b"rgb(0, 100, 0)", self.get("/static/books/books.css"))
        with self.assertRaises(HTTPError) as caught:
            self.get("/static/books/none.css")
        caught.exception.close()


class OneThread(LiveServer):
    settings = {"threads": 1, "server_header": "one thread"}


class OneThreadServer(LiveServerThread):
    server_class = OneThread


class SettingsTests(StaticLiveServerTestCase):
    server_thread_class = OneThreadServer

    def test_settings(self) -> None:
        with urlopen(self.live_server_url) as answer:
            self.assertEqual(answer.headers["Server"], "one thread")


class TakenPortTests(StaticLiveServerTestCase):
    server_thread_class = LiveServerThread

    def test_an_error_is_raised_in_the_test(self) -> None:
        other = type("Other", (StaticLiveServerTestCase,), {"server_thread_class": LiveServerThread})
        other.port = self.server_thread.port
        with self.assertRaises(OSError):
            other._start_server_thread()
        other.doClassCleanups()
