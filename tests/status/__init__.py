"""Sockets, time and threads: fastwsgi/server."""
