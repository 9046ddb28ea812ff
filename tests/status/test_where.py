"""The address that `fastwsgi top` asks: given, or found where the server finds its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from fastwsgi.mistakes import UsageError
from fastwsgi.server.addresses import Tcp, Unix
from fastwsgi.status.where import find


@pytest.mark.parametrize(
    ("given", "address"),
    [
        ("127.0.0.1:9090", Tcp("127.0.0.1", 9090)),
        ("http://127.0.0.1:9090", Tcp("127.0.0.1", 9090)),
        ("http://127.0.0.1:9090/status.json", Tcp("127.0.0.1", 9090)),
        (":9090", Tcp("127.0.0.1", 9090)),
        ("0.0.0.0:9090", Tcp("127.0.0.1", 9090)),
        ("*:9090", Tcp("127.0.0.1", 9090)),
        ("[::]:9090", Tcp("::1", 9090)),
        ("[2001:db8::1]:9090", Tcp("2001:db8::1", 9090)),
        ("unix:/run/shop.sock", Unix("/run/shop.sock")),
        ("unix:@shop", Unix("\0shop")),
    ],
)
def test_given(given: str, address: Tcp | Unix, tmp_path: Path) -> None:
    assert find(given, None, str(tmp_path)) == address


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("9090", "'9090' is a port without a host: write 127.0.0.1:9090"),
        ("/run/shop.sock", "'/run/shop.sock' is no address: write unix:/run/shop.sock"),
        ("fd://3", "fd://3 does not say where: give the address that the service has as its --status-bind"),
        ("127.0.0.1:0", "127.0.0.1:0 does not say where: give the address that the service has as its --status-bind"),
    ],
)
def test_given_wrongly(given: str, line: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        find(given, None, str(tmp_path))
    assert str(caught.value) == line


def test_from_the_environment_and_the_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.fastwsgi]\nstatus_bind = "0.0.0.0:9001"\n')
    assert find(None, None, str(tmp_path)) == Tcp("127.0.0.1", 9001)
    (tmp_path / "fastwsgi.toml").write_text('status_bind = "unix:run/status.sock"\n')
    assert find(None, None, str(tmp_path)) == Unix(f"{tmp_path}/run/status.sock")
    (tmp_path / "other.toml").write_text('status-bind = "127.0.0.1:9002"\n')
    assert find(None, "other.toml", str(tmp_path)) == Tcp("127.0.0.1", 9002)
    monkeypatch.setenv("FASTWSGI_STATUS_BIND", "127.0.0.1:9003")
    assert find(None, "other.toml", str(tmp_path)) == Tcp("127.0.0.1", 9003)
    monkeypatch.setenv("FASTWSGI_STATUS_BIND", "fd://3")
    with pytest.raises(UsageError, match=r"^FASTWSGI_STATUS_BIND fd://3 does not say where"):
        find(None, None, str(tmp_path))


def test_mistakes_in_other_settings_do_not_matter(tmp_path: Path) -> None:
    """They may be why the service is in trouble."""
    (tmp_path / "fastwsgi.toml").write_text('status_bind = "127.0.0.1:9001"\nworkers = "many"\nwrokers = 3\n')
    assert find(None, None, str(tmp_path)) == Tcp("127.0.0.1", 9001)


def test_none(tmp_path: Path) -> None:
    give_it = "give the address that the service has as its --status-bind"
    with pytest.raises(UsageError) as caught:
        find(None, None, str(tmp_path))
    places = "FASTWSGI_STATUS_BIND, fastwsgi.toml or pyproject.toml here"
    assert str(caught.value) == f"no status_bind in {places}: {give_it}"
    (tmp_path / "other.toml").write_text("workers = 2\n")
    with pytest.raises(UsageError) as caught:
        find(None, "other.toml", str(tmp_path))
    assert str(caught.value) == f"no status_bind in FASTWSGI_STATUS_BIND or other.toml: {give_it}"
    (tmp_path / "fastwsgi.toml").write_text("status_bind = [\n")
    with pytest.raises(UsageError, match=r"^fastwsgi\.toml: "):
        find(None, None, str(tmp_path))
