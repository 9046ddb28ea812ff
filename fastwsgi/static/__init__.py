"""Files that the server sends by itself: folders below a route, and what the application names by X-Sendfile."""
