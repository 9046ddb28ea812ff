"""The settings of statsd, as gunicorn has them: what they take, and the lines that refuse the rest."""

from __future__ import annotations

import pytest

from fastwsgi.server.addresses import Tcp, Unix
from fastwsgi.settings.settings import SettingError, Settings
from fastwsgi.settings.status_kinds import parse_statsd_address


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("localhost:9125", Tcp("localhost", 9125)),
        ("localhost", Tcp("localhost", 8125)),
        ("[::1]", Tcp("::1", 8125)),
        ("udp://10.0.0.1:8125", Tcp("10.0.0.1", 8125)),
        ("unix:///run/datadog/dsd.socket", Unix("/run/datadog/dsd.socket")),
        ("unix:dsd.socket", Unix("dsd.socket")),
        ("unix:8125", Tcp("unix", 8125)),
    ],
)
def test_addresses_of_statsd(text: str, address: Tcp | Unix) -> None:
    assert Settings(statsd_host=text).statsd_host == text
    assert parse_statsd_address(text) == address


@pytest.mark.parametrize(
    "text", ["8125", ":8125", "*:8125", "localhost:0", "localhost:port", "fd://3", "http://x:1/", "/run/x.sock"]
)
def test_addresses_that_name_no_statsd(text: str) -> None:
    with pytest.raises(SettingError) as caught:
        Settings(statsd_host=text)
    assert str(caught.value).startswith("statsd_host=")
    assert "\n" not in str(caught.value)


def test_what_gunicorn_takes_for_not_given() -> None:
    settings = Settings(statsd_host="", statsd_prefix="", dogstatsd_tags="")
    assert (settings.statsd_host, settings.statsd_prefix, settings.dogstatsd_tags) == (None, "", [])


@pytest.mark.parametrize("prefix", ["a b", "a:b", "a|b", "a\nb", "\xe4"])
def test_prefixes_that_would_break_a_line(prefix: str) -> None:
    with pytest.raises(SettingError, match="statsd_prefix="):
        Settings(statsd_prefix=prefix)


def test_tags() -> None:
    assert Settings(dogstatsd_tags="env:prod, team:shop").dogstatsd_tags == ["env:prod", "team:shop"]
    with pytest.raises(SettingError, match="dogstatsd_tags="):
        Settings(dogstatsd_tags="a|b")
