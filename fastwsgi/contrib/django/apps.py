"""The application as INSTALLED_APPS names it."""

from __future__ import annotations

from django.apps import AppConfig


class FastwsgiConfig(AppConfig):
    """Has a label of its own: the last part of the name would be "django"."""

    name = "fastwsgi.contrib.django"
    label = "fastwsgi"
    verbose_name = "fastwsgi"
