"""Settings and where they come from: fastwsgi/settings."""
