"""The bytes of a profile's requests, made before the load begins: so requests that differ cost the client nothing."""

from __future__ import annotations

from functools import lru_cache

from profiles import Profile

HOST = "127.0.0.1:20000"  # whatever the port is: so the texts are made once for all servers
VARIETY = 16_384  # requests of a profile that varies; more than any server remembers of the last ones
MULTIPLIER = 2_654_435_761  # Knuth's, for numbers that look like random ones


@lru_cache(1)
def requests(profile: Profile) -> list[bytes]:
    """Texts of one length, each with as many requests as go into one write."""
    count = VARIETY if profile.varies else 1
    return [request(profile, number) * profile.depth for number in range(count)]


def request(profile: Profile, number: int = 0) -> bytes:
    """One request with its body."""
    fields = {"Host": HOST, **profile.headers}
    if profile.varies:
        fields.update(varying(number))
    if profile.body:
        fields["Content-Length"] = str(len(profile.body))
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{profile.method} {profile.path} HTTP/1.1\r\n{lines}\r\n".encode() + profile.body


def varying(number: int) -> dict[str, str]:
    """Fields that no other request has, of the same length in each."""
    a, b = number * MULTIPLIER % 2**32, (number + 1) * MULTIPLIER % 2**32
    return {
        "Cookie": f"session={a:08x}{b:08x}; csrf={b:08x}{a:08x}",
        "Referer": f"https://www.example.org/catalogue/{number:05}",
        "X-Request-Id": f"{number:08x}-{b:08x}",
    }
