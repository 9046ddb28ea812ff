"""TLS, with a context that the user has changed."""

import os
import ssl

bind = "127.0.0.1:0"
certfile = os.environ["CERTIFICATE"]
keyfile = os.environ["CERTIFICATE"]


def ssl_context(config, default_ssl_context_factory):
    context = default_ssl_context_factory()
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    if not config.is_ssl or config.certfile != certfile:
        raise ValueError(config.certfile)
    return context


def pre_request(worker, req):
    worker.log.info("over %s", req.scheme)
