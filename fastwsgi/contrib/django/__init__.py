"""Django's own way to the server: "fastwsgi.contrib.django" in INSTALLED_APPS makes `manage.py fastwsgi` a command."""
