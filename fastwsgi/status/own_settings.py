"""The settings with which the status is served: a small service beside the one that it tells of."""

from __future__ import annotations

from typing import Any

from fastwsgi.settings.settings import Settings

BOUNDS: dict[str, Any] = {
    "threads": 4,  # two may wait for stacks
    "max_queue": 32,
    "max_connections": 512,
    "max_connections_per_ip": 384,  # top, Prometheus and probes may share one; what is left is for the others
    "header_timeout": 2.0,
    "body_timeout": 5.0,
    "write_timeout": 10.0,
    "keep_alive": 5.0,
    "linger_timeout": 0.5,
    "limit_request_head": 8192,
    "limit_request_line": 2048,
    "limit_request_fields": 64,
    "limit_request_body": 1,  # the smallest limit
    "max_buffered": 64 * 1024**2,
    "spool_size": 1024,
    "backlog": 512,
    "socket_mode": "600",
}
PASSED_ON = ("status_bind", "status_allow", "ready_queue", "statsd_host", "statsd_prefix", "dogstatsd_tags")
"""Settings of the whole service that concern its status."""


def passed_on(settings: Settings) -> dict[str, Any]:
    """What the status process is told of *settings*."""
    return {**BOUNDS, **{name: getattr(settings, name) for name in PASSED_ON}}


def of_listener(settings: Settings) -> Settings:
    """The settings with which the listener of the status is opened."""
    address = {"bind": [settings.status_bind]} if settings.status_bind else {}
    return Settings(**BOUNDS, **address, user=settings.user, group=settings.group)
