"""Driven by the environment, with many helper variables, as images for containers have it."""

import json
import os

workers_per_core_str = os.getenv("WORKERS_PER_CORE", "1")
max_workers_str = os.getenv("MAX_WORKERS")
web_concurrency_str = os.getenv("WEB_CONCURRENCY", "2")
host = os.getenv("HOST", "127.0.0.1")
port = os.getenv("SHOP_PORT", "0")
bind_env = os.getenv("BIND")
use_loglevel = os.getenv("LOG_LEVEL", "info")
cores = 2
web_concurrency = max(int(web_concurrency_str), 1)
timeout_str = os.getenv("TIMEOUT", "120")
graceful_timeout_str = os.getenv("GRACEFUL_TIMEOUT", "5")
keepalive_str = os.getenv("KEEP_ALIVE", "5")

loglevel = use_loglevel
workers = web_concurrency
bind = bind_env or f"{host}:{port}"
graceful_timeout = int(graceful_timeout_str)
timeout = int(timeout_str)
keepalive = int(keepalive_str)
raw_env = ["SHOP_SETTINGS=production", f"SHOP_TIMEOUT={timeout}"]

log_data = json.dumps({"workers": workers, "bind": bind, "cores": cores})


def on_starting(server):
    server.log.info("%s", log_data)
    cfg = server.cfg
    server.log.info("timeout %s, %s, %s", cfg.timeout, cfg.keepalive, cfg.settings["loglevel"].value)
