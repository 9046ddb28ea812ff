"""The files of docs/http2-http3.md in front of a server: curl speaks HTTP/2, and the application knows the client."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.proxies import end, listen, nginx
from tests.helpers.serving import PATIENCE, serving

PAGE = (Path(__file__).parents[2] / "docs/http2-http3.md").read_text(encoding="utf-8")
QUIETLY = ["curl", "--http2", "-sk", "--retry", "20", "--retry-connrefused", "--retry-delay", "1"]


def file_of(kind: str, folder: Path) -> str:
    """The page's file in the language *kind*, with a certificate of our own."""
    name = ["-subj", "/CN=localhost", "-keyout", str(folder / "privkey.pem"), "-out", str(folder / "fullchain.pem")]
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *name], check=True, capture_output=True)
    (folder / "both.pem").write_text((folder / "fullchain.pem").read_text() + (folder / "privkey.pem").read_text())
    (text,) = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    return str(text).replace("/etc/ssl/shop", str(folder))


def ask(address: Any) -> str:
    """What curl gets by HTTP/2 at *address*, and the version that was spoken."""
    command = [*QUIETLY, "-w", " %{http_version}", f"https://{address[0]}:{address[1]}/"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout


def shop(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    start_response("200 OK", [])
    return [f"{environ['wsgi.url_scheme']} for {environ['REMOTE_ADDR']}".encode()]


@contextmanager
def haproxy(folder: Path, text: str) -> Iterator[Any]:
    """HAProxy with a whole file; its address."""
    with listen() as listener:
        file = folder / "haproxy.cfg"
        file.write_text(text.replace("bind :443", f"bind fd@{listener.fileno()}"))
        process = subprocess.Popen(["haproxy", "-db", "-f", str(file)], pass_fds=[listener.fileno()])
        try:
            yield listener.getsockname()
        finally:
            end(process)


@pytest.mark.parametrize("proxy", ["nginx", "haproxy"])
def test_the_client_gets_http2_and_is_known(build: Any, tmp_path: Path, proxy: str) -> None:
    if shutil.which(proxy) is None or shutil.which("curl") is None:
        pytest.skip(f"{proxy} or curl is not installed")
    text = file_of(proxy, tmp_path)
    with serving(build, shop, forwarded_allow_ips="127.0.0.1") as server:
        text = text.replace("127.0.0.1:8000", f"127.0.0.1:{server.address[1]}")
        if proxy == "haproxy":
            with haproxy(tmp_path, text) as address:
                assert ask(address) == "https for 127.0.0.1 2"
        else:
            block = text.replace("listen 443 ssl http2;", "listen 80;")
            with nginx(tmp_path, block, speaks="ssl http2") as front:
                assert ask(front.address) == "https for 127.0.0.1 2"
