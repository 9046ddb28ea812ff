"""Keys of environ that the server sets: one object each, since a dict finds its own key by identity."""

REMOTE_ADDR = "REMOTE_ADDR"
REMOTE_PORT = "REMOTE_PORT"
WSGI_INPUT = "wsgi.input"
EARLY_HINTS = "wsgi.early_hints"
CLIENT_DISCONNECTED = "fastwsgi.client_disconnected"
