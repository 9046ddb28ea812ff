"""What gunicorn's users bring: the names of its settings, its configuration file, its hooks."""
