"""The views."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib import messages
from django.http import FileResponse, JsonResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext

from books.models import Book


class BookForm(forms.ModelForm):
    """The form of the page."""

    class Meta:
        model = Book
        fields = ("title", "file")


def index(request: Any) -> Any:
    request.session["visits"] = request.session.get("visits", 0) + 1
    context = {"books": Book.objects.order_by("pk"), "form": BookForm(), "visits": request.session["visits"]}
    return render(request, "books/index.html", {**context, "title": gettext("Library")})


def add(request: Any) -> Any:
    form = BookForm(request.POST, request.FILES)
    if form.is_valid():
        book = form.save()
        messages.success(request, f"“{book}” has {book.file.size} bytes.")
    return redirect("index")


def file(request: Any, number: int) -> Any:
    return FileResponse(get_object_or_404(Book, pk=number).file.open("rb"), as_attachment=True)


def lines(request: Any) -> Any:
    def stream() -> Iterator[str]:
        for number in range(int(request.GET.get("count", 100))):
            yield f"line {number} of {Book.objects.count()} books\n"

    return StreamingHttpResponse(stream(), content_type="text/plain")


def process(request: Any) -> Any:
    return JsonResponse({"pid": os.getpid(), "version": 1})
