"""Django without a database: sessions in a cookie, and of the middleware of `startproject` all that needs no users."""

from __future__ import annotations

from pathlib import Path

import django
from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler

MIDDLEWARE = (
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
)


def application(urls: str) -> WSGIHandler:
    """The application with the views of a module."""
    settings.configure(
        SECRET_KEY="no secret: the session of the benchmark's requests is signed with it",
        SESSION_COOKIE_AGE=10**9,  # seconds: the cookie is as old as the benchmark
        SESSION_ENGINE="django.contrib.sessions.backends.signed_cookies",
        ALLOWED_HOSTS=["127.0.0.1"],
        ROOT_URLCONF=urls,
        MIDDLEWARE=MIDDLEWARE,
        INSTALLED_APPS=["django.contrib.sessions"],
        TEMPLATES=[{
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "DIRS": [Path(__file__).parent / "templates"],
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }],
    )
    django.setup()
    return WSGIHandler()
