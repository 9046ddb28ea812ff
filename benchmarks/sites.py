"""Applications of frameworks, as their users write them: each is made when it is asked for, by apps.py.

Flask answers with JSON. Django's view validates a form and renders a page, behind the middleware that a new project
has, sessions and their database aside: some 0.7 ms of Python.
"""

from __future__ import annotations

from typing import Any


def flask_json() -> Any:
    """Flask: a route that answers with JSON."""
    from flask import Flask, jsonify

    app = Flask(__name__)

    @app.get("/")
    def index() -> Any:
        return jsonify(message="Hello, World!")

    return app


def django_form() -> Any:
    """Django: a view with a form of six fields, its page from a template, and the usual middleware."""
    import django
    from django import forms
    from django.conf import settings
    from django.core.handlers.wsgi import WSGIHandler
    from django.template import engines
    from django.urls import path

    def index(request: Any) -> Any:
        data = {"name": "Ada", "email": "ada@example.org", "age": "36", "url": "https://example.org/", "colour": "red"}
        form = Order({**data, **request.GET.dict()})
        form.is_valid()
        return HttpResponse(page.render({"form": form, "rows": form.cleaned_data.items()}, request))

    middleware = ["security.SecurityMiddleware", "common.CommonMiddleware", "csrf.CsrfViewMiddleware",
                  "clickjacking.XFrameOptionsMiddleware"]
    settings.configure(
        ALLOWED_HOSTS=["*"], SECRET_KEY="-", ROOT_URLCONF=(path("", index),), USE_TZ=True,
        MIDDLEWARE=["django.middleware." + name for name in middleware],
        TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates"}])
    django.setup()
    from django.http import HttpResponse

    class Order(forms.Form):
        name = forms.CharField(max_length=50)
        email = forms.EmailField()
        age = forms.IntegerField(min_value=18)
        url = forms.URLField(assume_scheme="https")
        colour = forms.ChoiceField(choices=[(one, one) for one in ("red", "green", "blue")])

    page = engines["django"].from_string(PAGE)
    return WSGIHandler()


PAGE = """<!doctype html><html><body><form method="post">{% csrf_token %}
{% for field in form %}<p>{{ field.label }}: {{ field.value|default:"-" }} {{ field.errors }}</p>{% endfor %}
</form><ul>{% for name, value in rows %}<li>{{ name|title }}: {{ value|escape }}</li>{% endfor %}</ul></body></html>"""
