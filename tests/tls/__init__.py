"""TLS: fastwsgi/tls, and servers that speak it."""
