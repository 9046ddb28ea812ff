"""The routes that all applications here have, then Django's own."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.http import FileResponse, HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt


def hello(request: Any) -> Any:
    return HttpResponse("hello", content_type="text/plain", headers={"X-Port": request.META["REMOTE_PORT"]})


@csrf_exempt
def echo(request: Any) -> Any:
    return HttpResponse(request.read(), content_type="application/octet-stream")


def stream(request: Any) -> Any:
    def pieces() -> Iterator[str]:
        for number in range(20):
            yield f"piece {number}\n"

    return StreamingHttpResponse(pieces(), content_type="text/plain")


def file(request: Any) -> Any:
    return FileResponse(open(os.environ["REALAPPS_FILE"], "rb"), content_type="application/octet-stream")


def fail(request: Any) -> Any:
    raise RuntimeError("meant to fail")


@csrf_exempt
def upload(request: Any) -> Any:
    uploaded = request.FILES["upload"]
    digest = hashlib.sha256()
    for piece in uploaded.chunks():
        digest.update(piece)
    return JsonResponse(
        {
            "name": uploaded.name,
            "size": uploaded.size,
            "sha256": digest.hexdigest(),
            "on_disk": hasattr(uploaded, "temporary_file_path"),
            "note": request.POST["note"],
        }
    )


def visits(request: Any) -> Any:
    request.session["visits"] = request.session.get("visits", 0) + 1
    return JsonResponse({"visits": request.session["visits"]})


urlpatterns = [
    path("hello", hello),
    path("echo", echo),
    path("stream", stream),
    path("file", file),
    path("fail", fail),
    path("upload", upload),
    path("visits", visits),
    path("admin/", admin.site.urls),
]
