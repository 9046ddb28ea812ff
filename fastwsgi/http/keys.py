"""Keys of environ that are set anew for each request: one object each, since a dict finds its own key by identity."""

WSGI_INPUT = "wsgi.input"
EARLY_HINTS = "wsgi.early_hints"
CLIENT_DISCONNECTED = "fastwsgi.client_disconnected"
