"""Logging by a table, with gunicorn's own handlers below it, and several addresses."""

bind = ["127.0.0.1", "[::1]:8001", "unix:shop.sock", "tcp://127.0.0.1:9000"]
logger_class = "gunicorn.glogging.Logger"
logconfig_dict = {
    "loggers": {
        "gunicorn.error": {"level": "WARNING", "handlers": ["error_console"], "propagate": False},
        "gunicorn.access": {"level": "INFO", "handlers": ["console"]},
        "shop": {"level": "DEBUG", "handlers": ["console"]},
    },
}
