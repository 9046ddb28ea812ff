"""Django: a file of 1 MiB, by FileResponse."""

from __future__ import annotations

from django.http import FileResponse, HttpRequest
from django.urls import path

from frameworks.django_site import application
from frameworks.download import FILE


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(open(FILE.name, "rb"), filename="file.bin")


urlpatterns = [path("", download)]
app = application(__name__)
