"""What cannot be had here: another kind of worker and its limits, the background, and a TLS context of one's own."""

worker_class = "gevent"
worker_connections = 2000
daemon = True
capture_output = True
forwarded_allow_ips = "*"
secure_scheme_headers = {"X-SCHEME": "https"}
certfile = "/etc/ssl/shop.pem"


def ssl_context(config, default_ssl_context_factory):
    return default_ssl_context_factory()
