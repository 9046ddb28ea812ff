"""Django: a form that was posted with a CSRF token and a session, and the page that answers it."""

from __future__ import annotations

from django import forms
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path

from frameworks.catalogue import ITEMS
from frameworks.django_site import application


class Order(forms.Form):
    name = forms.CharField(max_length=80)
    email = forms.EmailField()
    number = forms.IntegerField(min_value=1, max_value=24)
    remarks = forms.CharField(widget=forms.Textarea, required=False)


def order(request: HttpRequest) -> HttpResponse:
    form = Order(request.POST)
    if form.is_valid():
        request.session["orders"] = request.session.get("orders", 0) + 1
    context = {"form": form, "items": ITEMS[:8], "orders": request.session.get("orders")}
    return render(request, "django.html", context)


urlpatterns = [path("", order)]
app = application(__name__)
