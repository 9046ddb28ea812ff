"""The one model."""

from django.db import models


class Book(models.Model):
    """A book with a file."""

    title = models.CharField(max_length=100)
    file = models.FileField(upload_to="books")

    def __str__(self) -> str:
        return self.title
