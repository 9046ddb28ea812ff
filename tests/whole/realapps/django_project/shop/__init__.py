"""A Django project with the admin, sessions and static files."""
