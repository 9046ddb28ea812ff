"""Finding, checking and configuring the application: fastwsgi/application."""
