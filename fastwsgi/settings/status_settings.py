"""The settings of what the service tells of itself: its status address, its probes, and statsd."""

from __future__ import annotations

from fastwsgi.settings import kinds, status_kinds
from fastwsgi.settings.setting import Setting

STATUS = "status and metrics"


class StatusSettings:
    """A part of the table in settings.py."""

    status_bind = Setting(
        STATUS,
        status_kinds.status_address(),
        None,
        "HOST:PORT or unix:/path/of.sock for the status page, /status.json, /metrics, /livez, /readyz and /stacks",
        supervised=True,
    )
    status_allow = Setting(
        STATUS,
        kinds.peers(),
        ["*"],
        "who may see the status: addresses, networks (10.0.0.0/8), unix, or * for everybody",
    )
    liveness_path = Setting(
        STATUS,
        kinds.url_prefix(),
        "",
        "path that is answered with 200 while the worker serves, such as /livez",
        supervised=True,
    )
    readiness_path = Setting(
        STATUS,
        kinds.url_prefix(),
        "",
        "path that is answered with 200, or with 503 once a stop has begun, such as /readyz",
        supervised=True,
    )
    ready_queue = Setting(
        STATUS,
        kinds.count(0),
        0,
        "readiness fails while more requests than this wait for a thread; 0: however many wait",
        supervised=True,
    )
    statsd_host = Setting(
        STATUS,
        status_kinds.statsd_address(),
        None,
        "HOST:PORT or unix:/path/of.sock of a statsd that gets the metrics, under gunicorn's names",
        supervised=True,
    )
    statsd_prefix = Setting(STATUS, status_kinds.statsd_prefix(), "", "beginning of the names sent to statsd")
    dogstatsd_tags = Setting(
        STATUS, status_kinds.statsd_tags(), [], "tags, with commas, sent with each metric in DogStatsD's form"
    )
