"""The application of a Django project, as a worker loads it for `manage.py fastwsgi`.

It is what runserver would serve: settings.WSGI_APPLICATION, with DEBUG inside staticfiles' handler. The URLconf is
imported now, not at the first request: so a start or a reload with a broken one fails before it serves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


def make_application(static: bool = True, insecure: bool = False, reload: bool = False) -> WSGIApplication:
    """The project's application, by the settings that DJANGO_SETTINGS_MODULE names.

    Args:
        static: whether staticfiles serves static files, where it is installed and DEBUG is on.
        insecure: it does so without DEBUG, too.
        reload: for development: run the checks of runserver, and watch what runserver watches.
    """
    import django
    from django.conf import settings
    from django.core.servers.basehttp import get_internal_wsgi_application
    from django.db import connections
    from django.urls import get_resolver

    django.setup()
    app: WSGIApplication = get_internal_wsgi_application()
    if getattr(settings, "ROOT_URLCONF", None):
        get_resolver().url_patterns  # noqa: B018  # imports it
    if static and (settings.DEBUG or insecure) and _has_staticfiles():
        from django.contrib.staticfiles.handlers import StaticFilesHandler

        app = StaticFilesHandler(app)
    if reload:
        from fastwsgi.contrib.django.checks import run_checks
        from fastwsgi.contrib.django.watching import watch

        run_checks()
        watch()
    connections.close_all()  # with --preload, workers are forked from here
    return app


def _has_staticfiles() -> bool:
    from django.apps import apps

    return bool(apps.is_installed("django.contrib.staticfiles"))
