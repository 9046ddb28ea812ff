"""What gunicorn's users bring along: fastwsgi/gunicorn."""
