"""A Django project as one makes it: admin, forms, uploads, streams, static files, sessions, messages."""
