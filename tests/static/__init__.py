"""Files that the server sends by itself: fastwsgi/static."""
