"""What a twelve-factor application reads: each GUNICORN_* variable becomes the setting of that name."""

import os

bind = "0.0.0.0:" + os.environ.get("SHOP_PORT", "8080")
workers = int(os.environ.get("SHOP_WORKERS", "2"))
reload = os.environ.get("SHOP_ENV") == "development"
reload_extra_files = ["templates/index.html"]
raw_env = ["SHOP_SETTINGS=production", f"SHOP_LISTENS={bind}"]

for variable, text in os.environ.items():
    if variable.startswith("GUNICORN_"):
        locals()[variable.split("_", 1)[1].lower()] = text
