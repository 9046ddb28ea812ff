"""The routes."""

from books import views
from django.contrib import admin
from django.urls import path

urlpatterns = [
    path("", views.index, name="index"),
    path("add/", views.add, name="add"),
    path("files/<int:number>/", views.file, name="file"),
    path("lines/", views.lines, name="lines"),
    path("process/", views.process, name="process"),
    path("admin/", admin.site.urls),
]
