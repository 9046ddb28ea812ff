"""What gunicorn's users bring with them: the names of its settings, its configuration file, its hooks."""
