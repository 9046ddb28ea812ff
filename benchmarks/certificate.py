"""The certificate of the TLS profiles: one for all servers, ECDSA with P-256, made by openssl once a run."""

from __future__ import annotations

import atexit
import functools
import shutil
import subprocess
import tempfile
from pathlib import Path


@functools.cache
def pair() -> tuple[str, str]:
    """The paths of certificate and key, in PEM, the key as PKCS #8; they go when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix="fastwsgi-benchmark-"))
    atexit.register(shutil.rmtree, folder)
    certificate, key = str(folder / "certificate.pem"), str(folder / "key.pem")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "30",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True)
    return certificate, key
