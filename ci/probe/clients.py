"""Clients in use: curl, http.client, requests, ab and wrk do their everyday work with the server."""

from __future__ import annotations

import hashlib
import http.client
import re
import subprocess
from collections.abc import Callable

from .applications import told
from .rules import MUST, OK, WRONG, Finding, Probe
from .session import Gone, Session

PROBES: list[Probe] = []
BODY = b"0123456789" * 30_000
SECONDS = 20  # within which a client must be done


def client(judge: Callable[[Session], str]) -> Callable[[Session], str]:
    """Enter a function into PROBES; it returns what went wrong, "" if nothing."""

    def run(session: Session) -> Finding:
        try:
            wrong = judge(session)
        except Gone as error:
            wrong = str(error)
        except (OSError, http.client.HTTPException, subprocess.SubprocessError) as error:
            wrong = type(error).__name__
        return Finding(WRONG if wrong else OK, wrong or "yes")

    title = "What clients in use send is served, and they understand the answer"
    name = f"client: {(judge.__doc__ or '').splitlines()[0].rstrip('.')}"
    PROBES.append(Probe("clients", MUST, "RFC 9112", WRONG, title, name, run))
    return judge


def command(*words: str, stdin: bytes = b"") -> str:
    done = subprocess.run(words, input=stdin, capture_output=True, timeout=SECONDS)
    return (done.stdout + done.stderr).decode("latin-1")


def curl(session: Session, *words: str, stdin: bytes = b"", path: str = "/curl") -> str:
    """What curl printed: the statuses, with commas."""
    url = f"http://127.0.0.1:{session.port}{path}"
    return command("curl", "-sS", "-m", "10", "-o", "/dev/null", "-w", "%{http_code},", *words, url, stdin=stdin)


def got(session: Session, statuses: str, *bodies: bytes) -> str:
    """What is wrong with what the application saw."""
    if statuses != "200," * len(bodies):
        return statuses.strip()[:30] or "nothing"
    hashes = [record.get("hash") for record in session.records()]
    return told(hashes == [hashlib.sha256(body).hexdigest() for body in bodies], "another body")


@client
def curl_get(session: Session) -> str:
    """curl URL URL."""
    url = f"http://127.0.0.1:{session.port}/curl"
    return got(session, curl(session, "-o", "/dev/null", url), b"", b"")


@client
def curl_1_0(session: Session) -> str:
    """curl --http1.0."""
    return got(session, curl(session, "--http1.0"), b"")


@client
def curl_head(session: Session) -> str:
    """curl -I."""
    return got(session, curl(session, "-I"), b"")


@client
def curl_post(session: Session) -> str:
    """curl --data-binary, with Expect: 100-continue."""
    return got(session, curl(session, "-H", "Expect: 100-continue", "--data-binary", "@-", stdin=BODY), BODY)


@client
def curl_chunked(session: Session) -> str:
    """curl -T -, which sends chunks."""
    return got(session, curl(session, "-T", "-", stdin=BODY), BODY)


@client
def http_client(session: Session) -> str:
    """http.client, several requests on a connection, one in chunks."""
    connection = http.client.HTTPConnection("127.0.0.1", session.port, timeout=5)
    statuses = ""
    for method, body, chunked in (("GET", None, False), ("POST", BODY, False), ("PUT", iter([b"abc", b"de"]), True)):
        connection.request(method, "/client", body, encode_chunked=chunked,
                           headers={"Transfer-Encoding": "chunked"} if chunked else {})
        response = connection.getresponse()
        statuses += f"{response.status},"
        response.read()
    connection.close()
    return got(session, statuses, b"", BODY, b"abcde")


@client
def requests_session(session: Session) -> str:
    """requests.Session: GET, a streamed POST, a streamed answer."""
    import requests

    base = f"http://127.0.0.1:{session.port}"
    try:
        with requests.Session() as http:
            http.trust_env = False
            statuses = f"{http.get(base + '/requests', timeout=5).status_code},"
            statuses += f"{http.post(base + '/requests', data=iter([b'abc', b'de']), timeout=5).status_code},"
            streamed = http.get(base + "/--does/paused", timeout=5).content
    except requests.RequestException as error:
        return type(error).__name__
    return told(streamed == b"one two", "stream cut") or got_first_two(session, statuses)


def got_first_two(session: Session, statuses: str) -> str:
    records = [record.get("hash") for record in session.records()][:2]
    wanted = [hashlib.sha256(body).hexdigest() for body in (b"", b"abcde")]
    return told(statuses == "200,200," and records == wanted, statuses if statuses != "200,200," else "another body")


@client
def ab_keep_alive(session: Session) -> str:
    """ab -k, which speaks HTTP/1.0 with keep-alive."""
    url = f"http://127.0.0.1:{session.port}/--does/known"
    printed = command("ab", "-k", "-q", "-n", "200", "-c", "4", url)
    session.records()
    done = re.search(r"Complete requests:\s+200\n", printed) and re.search(r"Failed requests:\s+0\n", printed)
    return told(done and "Non-2xx" not in printed, "errors")


@client
def wrk(session: Session) -> str:
    """wrk, 4 connections for a second."""
    printed = command("wrk", "-t1", "-c4", "-d1s", f"http://127.0.0.1:{session.port}/--does/known")
    session.records()
    return told("Socket errors" not in printed and "Non-2xx" not in printed and "Requests/sec" in printed, "errors")
