"""Forwarding fields, over environ alone: what is believed of whom, and what each field does to environ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastwsgi.http.errors import HttpError
from fastwsgi.http.forwarded import Forwarding, read_forwarded
from fastwsgi.http.peers import Trusted
from fastwsgi.settings.settings import Settings

ALL = "x-forwarded-for,x-forwarded-proto,x-forwarded-host,x-forwarded-port,x-forwarded-prefix"
PROXY = "10.0.0.1"


def describe(fields: dict[str, str], peer: str = PROXY, **settings: Any) -> dict[str, Any]:
    """What becomes of the environ of a request with *fields*."""
    forwarding = Forwarding(Settings(**{"forwarded_allow_ips": PROXY, **settings}))
    environ = {
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "4711",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "inner:8000",
        "SERVER_NAME": "10.0.0.9",
        "SERVER_PORT": "8000",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/shop/cart",
        **{"HTTP_" + name.upper().replace("-", "_"): value for name, value in fields.items()},
    }
    forwarding.describer(peer)(environ)
    return environ


def client(value: str, **settings: Any) -> tuple[str, str]:
    environ = describe({"X-Forwarded-For": value}, **settings)
    return environ["REMOTE_ADDR"], environ["REMOTE_PORT"]


def refused(fields: dict[str, str], **settings: Any) -> bool:
    try:
        describe(fields, **settings)
    except HttpError as error:
        return error.status == 400
    return False


# Whom


@pytest.mark.parametrize(
    ("names", "host", "trusted"),
    [
        ([], "127.0.0.1", False),
        ([], "", False),
        (["127.0.0.1"], "127.0.0.1", True),
        (["127.0.0.1"], "127.0.0.2", False),
        (["127.0.0.1"], "", False),
        (["10.0.0.0/8"], "10.255.0.1", True),
        (["10.0.0.0/8"], "11.0.0.1", False),
        (["10.0.0.0/8"], "::ffff:10.0.0.1", True),
        (["2001:db8::/32"], "2001:db8:1::1", True),
        (["fe80::/10"], "fe80::1%eth0", True),
        (["unix"], "", True),
        (["unix"], "127.0.0.1", False),
        (["*"], "192.0.2.1", True),
        (["*"], "", True),
    ],
)
def test_who_is_trusted(names: list[str], host: str, trusted: bool) -> None:
    assert (host in Trusted(names)) is trusted


def test_a_stranger_is_not_believed() -> None:
    fields = {"X-Forwarded-For": "192.0.2.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil"}
    environ = describe(fields, "192.0.2.66", forwarded_headers=ALL)
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("192.0.2.66", "4711")
    assert environ["wsgi.url_scheme"] == "http"
    assert (environ["HTTP_HOST"], environ["HTTP_X_FORWARDED_FOR"]) == ("inner:8000", "192.0.2.7")
    assert environ["fastwsgi.peer_addr"] == "192.0.2.66"
    assert "HTTPS" not in environ


def test_what_is_not_believed_can_be_dropped() -> None:
    fields = {
        "X-Forwarded-For": "192.0.2.7",
        "X-Forwarded-SSL": "on",
        "X-Forwarded-Host": "shop",
        "Forwarded": "for=1.2.3.4",
        "X-Real-IP": "192.0.2.7",
    }
    stranger = describe(fields, "192.0.2.66", forwarded_untrusted="drop")
    assert [key for key in stranger if "FORWARDED" in key] == []
    proxy = describe(fields, forwarded_untrusted="drop")
    assert [key for key in proxy if "FORWARDED" in key] == ["HTTP_X_FORWARDED_FOR"]
    assert (proxy["REMOTE_ADDR"], proxy["HTTP_X_REAL_IP"]) == ("192.0.2.7", "192.0.2.7")


def test_what_the_proxy_was_not_said_to_send_is_the_clients() -> None:
    """By default that is all but two: nginx passes the others on as the client sent them."""
    environ = describe(
        {"X-Forwarded-Host": "evil", "X-Forwarded-Port": "1", "X-Forwarded-Prefix": "/e", "Forwarded": "for=1.2.3.4"}
    )
    assert (environ["HTTP_HOST"], environ["SERVER_PORT"], environ["SCRIPT_NAME"]) == ("inner:8000", "8000", "")
    assert environ["REMOTE_ADDR"] == PROXY
    environ = describe({"X-Forwarded-For": "192.0.2.7", "Forwarded": "for=1.2.3.4"}, forwarded_headers="forwarded")
    assert environ["REMOTE_ADDR"] == "1.2.3.4"


# Which entry


@pytest.mark.parametrize(
    ("value", "hops", "address"),
    [
        ("192.0.2.7", 1, "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7", 1, "192.0.2.7"),
        ("6.6.6.6,\t192.0.2.7", 1, "192.0.2.7"),
        ("'; drop,,, 192.0.2.7", 1, "192.0.2.7"),
        (", 192.0.2.7", 1, "192.0.2.7"),
        ("6.6.6.6, 192.0.2.7, 10.0.0.2", 2, "192.0.2.7"),
        ("192.0.2.7, 10.0.0.2", 2, "192.0.2.7"),
        ("192.0.2.7", 2, "192.0.2.7"),  # the first proxy was passed by: the second has seen this client
        ("192.0.2.7", 100, "192.0.2.7"),
    ],
)
def test_the_entry_is_counted_from_the_right(value: str, hops: int, address: str) -> None:
    assert client(value, forwarded_hops=hops)[0] == address
    environ = describe({"Forwarded": value.replace("'; drop", "")
                        .replace("6.6.6.6", "for=6.6.6.6").replace("192.0.2.7", "for=192.0.2.7")
                        .replace("10.0.0.2", "for=10.0.0.2")},
                       forwarded_headers="forwarded", forwarded_hops=hops)  # fmt: skip
    assert environ["REMOTE_ADDR"] == address


def test_a_field_that_is_not_there_says_nothing() -> None:
    environ = describe({}, forwarded_headers=ALL)
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == (PROXY, "4711")
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "inner:8000")


def test_nor_does_an_empty_one_that_does_not_name_the_client() -> None:
    empty = {f"X-Forwarded-{name}": "" for name in ("Proto", "Host", "Port", "Prefix")}
    environ = describe({**empty, "X-Forwarded-For": "192.0.2.7"}, forwarded_headers=ALL)
    assert environ["REMOTE_ADDR"] == "192.0.2.7"
    assert (environ["wsgi.url_scheme"], environ["HTTP_HOST"]) == ("http", "inner:8000")
    assert (environ["SERVER_PORT"], environ["SCRIPT_NAME"]) == ("8000", "")


@pytest.mark.parametrize("value", ["", ",", ", ,", ",\t,,", "192.0.2.7,", '""'])
@pytest.mark.parametrize("hops", [1, 2])
def test_a_list_that_names_no_client_refuses_the_request(value: str, hops: int) -> None:
    """Else the proxy's own address, which the application may trust, would stand for a stranger's."""
    if hops == 1 or value != "192.0.2.7,":
        assert refused({"X-Forwarded-For": value}, forwarded_hops=hops)
    assert not refused({"X-Forwarded-For": value}, peer="192.0.2.66", forwarded_hops=hops)


@pytest.mark.parametrize("value", ["", ",", ", ,", ";", ";,;", "for=", 'for=""', ',for=""'])
@pytest.mark.parametrize("hops", [1, 2])
def test_so_does_a_forwarded_without_an_element(value: str, hops: int) -> None:
    assert refused({"Forwarded": value}, forwarded_headers="forwarded", forwarded_hops=hops)
    assert not refused({"Forwarded": value}, peer="192.0.2.66", forwarded_headers="forwarded")
    assert not refused({"Forwarded": value})  # not believed


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.7", "192.0.2.7", ""),
        ("192.0.2.7:8080", "192.0.2.7", "8080"),
        ("2001:DB8:0::7", "2001:db8::7", ""),
        ("[2001:db8::7]", "2001:db8::7", ""),
        ("[2001:db8::7]:80", "2001:db8::7", "80"),
        ("::ffff:192.0.2.7", "192.0.2.7", ""),
        ("192.0.2.7:_hidden", "192.0.2.7", ""),
        ("unknown", "", ""),
        ("unix:", "", ""),
        ("_gazonk.1", "", ""),
        ("_gazonk:80", "", ""),
    ],
)
def test_how_a_client_is_named(text: str, address: str, port: str) -> None:
    assert client(text) == (address, port)
    quoted = describe({"Forwarded": f'For="{text}"'}, forwarded_headers="forwarded")
    assert (quoted["REMOTE_ADDR"], quoted["REMOTE_PORT"]) == (address, port)


@pytest.mark.parametrize(
    "text",
    ["localhost", "192.0.2.256", "192.0.2.07", "192.0.2.7:", "192.0.2.7:65536", "192.0.2.7:x", "[192.0.2.7]", "[::1",
     "::1]", "fe80::1%eth0", "[fe80::1%25eth0]", "1.2.3.4 5.6.7.8", '"192.0.2.7"', "\xb2.0.0.1", "6.6.6.6,",
     "192.0.2.7;proto=https", ":80", "[]:80", "_" + "a" * 128],
)  # fmt: skip
def test_a_malformed_client_refuses_the_request(text: str) -> None:
    assert refused({"X-Forwarded-For": text})
    assert not refused({"X-Forwarded-For": text}, peer="192.0.2.66")
    assert not refused({"X-Forwarded-For": f"{text}, 192.0.2.7"}), "what the client wrote is not looked at"


@pytest.mark.parametrize("text", ["fe80::1%eth0", "[fe80::1%25eth0]", "[fe80::1%eth0]:80"])
def test_a_zone_is_called_one(text: str) -> None:
    for fields, headers in (({"X-Forwarded-For": text}, ALL), ({"Forwarded": f'for="{text}"'}, "forwarded")):
        with pytest.raises(HttpError) as caught:
            describe(fields, forwarded_headers=headers)
        assert (caught.value.status, caught.value.reason) == (400, "an address with a zone from a proxy")


# What it does


def test_the_scheme() -> None:
    environ = describe({"X-Forwarded-Proto": "HTTPS"})
    assert (environ["wsgi.url_scheme"], environ["HTTPS"], environ["SERVER_PORT"]) == ("https", "on", "8000")
    environ = describe({"X-Forwarded-Proto": "https, http"})
    assert environ["wsgi.url_scheme"] == "http"
    assert "HTTPS" not in environ
    assert describe({"X-Forwarded-Proto": "https, http"}, forwarded_hops=2)["wsgi.url_scheme"] == "https"
    assert describe({"X-Forwarded-Proto": "https"}, forwarded_hops=2)["wsgi.url_scheme"] == "https"
    assert all(refused({"X-Forwarded-Proto": value}) for value in ("ssl", "wss", "https;", "https,", "javascript"))


@pytest.mark.parametrize(
    ("host", "scheme", "name", "port"),
    [
        ("shop.example", "http", "shop.example", "80"),
        ("shop.example", "https", "shop.example", "443"),
        ("shop.example:8443", "https", "shop.example", "8443"),
        ("[2001:db8::1]", "http", "[2001:db8::1]", "80"),
        ("[2001:db8::1]:81", "http", "[2001:db8::1]", "81"),
        ("evil, shop.example", "http", "shop.example", "80"),
    ],
)
def test_the_host(host: str, scheme: str, name: str, port: str) -> None:
    environ = describe({"X-Forwarded-Host": host, "X-Forwarded-Proto": scheme}, forwarded_headers=ALL)
    assert environ["HTTP_HOST"] == host.rpartition(" ")[2]
    assert (environ["SERVER_NAME"], environ["SERVER_PORT"]) == (name, port)
    environ = describe({"X-Forwarded-Host": host, "X-Forwarded-Port": "8081"}, forwarded_headers=ALL)
    assert environ["SERVER_PORT"] == "8081"


@pytest.mark.parametrize("host", ["a b", "user@shop", "shop/path", "shop:80:80", "[::1", "shop,", "\xe4", "[::zz]",
                                  "shop:65536", "shop:99999", "[::1]:65536", "192.0.2.7:65536", "%73hop:65536",
                                  "shop\t", "sh\top"])  # fmt: skip
def test_a_malformed_host(host: str) -> None:
    stripped = host.strip(" \t") != host  # blanks around an entry are no part of it
    assert refused({"X-Forwarded-Host": host}, forwarded_headers=ALL) is not stripped
    assert refused({"Forwarded": f'host="{host}"'}, forwarded_headers="forwarded")
    assert not refused({"X-Forwarded-Host": host}, peer="192.0.2.66", forwarded_headers=ALL)


@pytest.mark.parametrize("host", ["shop:65535", "shop:", "[::1]:65535"])
def test_a_host_with_a_port_that_is_allowed(host: str) -> None:
    assert describe({"X-Forwarded-Host": host}, forwarded_headers=ALL)["HTTP_HOST"] == host
    assert describe({"Forwarded": f'host="{host}"'}, forwarded_headers="forwarded")["HTTP_HOST"] == host


@pytest.mark.parametrize("port", ["0", "080", "65536", "-1", "80 ", "http"])
def test_the_port(port: str) -> None:
    assert refused({"X-Forwarded-Port": port}, forwarded_headers=ALL) is (port != "80 ")


@pytest.mark.parametrize(
    ("prefix", "name", "path"),
    [
        ("/shop", "/shop", "/cart"),
        ("/shop/", "/shop", "/cart"),
        ("/other", "/other", "/shop/cart"),
        ("/sho", "/sho", "/shop/cart"),
        ("/shop/cart", "/shop/cart", ""),
        ("/", "", "/shop/cart"),
        ("/caf%C3%A9", "/caf\xc3\xa9", "/shop/cart"),
    ],
)
def test_the_prefix(prefix: str, name: str, path: str) -> None:
    environ = describe({"X-Forwarded-Prefix": prefix}, forwarded_headers=ALL)
    assert (environ["SCRIPT_NAME"], environ["PATH_INFO"]) == (name, path)


@pytest.mark.parametrize(
    "prefix", ["shop", "//evil.example", "/%2Fevil.example", "/a//b", "/../x", "/%2e%2e", "/a\\b", "/a%5Cb", "/a%00",
               "/a%2F", "/a?b", "/a#b", "/a b", "/%zz", "/\xe4", "http://evil"],
)  # fmt: skip
def test_a_malformed_prefix(prefix: str) -> None:
    assert refused({"X-Forwarded-Prefix": prefix}, forwarded_headers=ALL)


@pytest.mark.parametrize("code", [*range(32), 127])
def test_a_control_in_the_prefix(code: int) -> None:
    """SCRIPT_NAME goes into Location and into cookies."""
    for control in (chr(code), f"%{code:02X}", f"%{code:02x}"):
        for prefix in (f"/shop{control}Set-Cookie:x", f"/{control}x", f"/shop/{control}/"):
            assert refused({"X-Forwarded-Prefix": prefix}, forwarded_headers=ALL)
            assert refused({"X-Forwarded-Prefix": f"/first, {prefix}, /shop"}, forwarded_headers=ALL, forwarded_hops=2)
    assert not refused({"X-Forwarded-Prefix": f"/%{code:02X}, /shop"}, forwarded_headers=ALL)


# RFC 7239


@pytest.mark.parametrize(
    ("value", "elements"),
    [
        ("for=192.0.2.43", [{"for": "192.0.2.43"}]),
        ('For="[2001:db8:cafe::17]:4711"', [{"for": "[2001:db8:cafe::17]:4711"}]),
        ("for=192.0.2.60;proto=http;by=203.0.113.43", [{"for": "192.0.2.60", "proto": "http", "by": "203.0.113.43"}]),
        ("for=192.0.2.43, for=198.51.100.17", [{"for": "192.0.2.43"}, {"for": "198.51.100.17"}]),
        (r'host="a\"b\\,;";secret=x', [{"host": r'a"b\,;', "secret": "x"}]),
        ("for=_a ; proto=http ,;", [{"for": "_a", "proto": "http"}]),
        ('x="";y=1', [{"x": "", "y": "1"}]),
        ("", []),
    ],
)
def test_the_grammar(value: str, elements: list[dict[str, str]]) -> None:
    assert read_forwarded(value) == elements


@pytest.mark.parametrize(
    "value",
    ["for", "for=", "=1.2.3.4", "for =1.2.3.4", "for= 1.2.3.4", "for=[::1]", "for=1.2.3.4:80", 'for="1.2.3.4',
     'for="1.2.3.4"x', "for=1.2.3.4 proto=http", "for=1.2.3.4;for=5.6.7.8", "for=1.2.3.4;FOR=5.6.7.8", "for=a/b",
     'for="a\\', "for='1.2.3.4' x", "," * 256],
)  # fmt: skip
def test_a_malformed_field_refuses_the_request(value: str) -> None:
    assert refused({"Forwarded": f"{value}, for=192.0.2.7"}, forwarded_headers="forwarded")
    assert refused({"Forwarded": f"for=192.0.2.7, {value}"}, forwarded_headers="forwarded", forwarded_hops=2)


@pytest.mark.parametrize(
    "appended",
    ["for=192.0.2.7", 'for="[2001:db8::7]:80"', 'for="_x";proto=https', 'proto=https;for="192.0.2.7";host="a,b"'],
)
@pytest.mark.parametrize("sent", ['for="', 'x="a\\"', 'x="a\\', '"', "\\", 'for=6.6.6.6;x="y\\\\"z', 'a="b";c="'])
def test_a_client_cannot_hide_what_the_proxy_appends(sent: str, appended: str) -> None:
    """Whatever quote it leaves open: the proxy's element is the last, or the request is refused."""
    assert refused({"Forwarded": f"{sent}, {appended}"}, forwarded_headers="forwarded")


@given(st.text(st.sampled_from('for=proto"\\,;: .192_[]'), max_size=60))
def test_a_client_cannot_name_another(sent: str) -> None:
    """Whatever it sends, the address is the one that the proxy has seen, or there is no request."""
    for fields, headers in (
        ({"Forwarded": f'{sent}, for="192.0.2.7";proto=https'}, "forwarded"),
        ({"X-Forwarded-For": f"{sent}, 192.0.2.7"}, ALL),
    ):
        if headers == ALL or not refused(fields, forwarded_headers=headers):
            assert describe(fields, forwarded_headers=headers)["REMOTE_ADDR"] == "192.0.2.7"


def test_forwarded_sets_what_it_says() -> None:
    field = 'for="[2001:db8::7]:99";proto=https;host="shop.example:8443";by=_x'
    environ = describe({"Forwarded": f"for=6.6.6.6;host=evil, {field}"}, forwarded_headers="forwarded")
    assert (environ["REMOTE_ADDR"], environ["REMOTE_PORT"]) == ("2001:db8::7", "99")
    assert (environ["wsgi.url_scheme"], environ["HTTPS"]) == ("https", "on")
    assert (environ["HTTP_HOST"], environ["SERVER_NAME"], environ["SERVER_PORT"]) == (
        "shop.example:8443", "shop.example", "8443",
    )  # fmt: skip
    environ = describe({"Forwarded": "for=6.6.6.6, proto=https"}, forwarded_headers="forwarded")
    assert (environ["REMOTE_ADDR"], environ["wsgi.url_scheme"]) == (PROXY, "https")
