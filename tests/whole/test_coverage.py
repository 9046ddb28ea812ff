"""`coverage run` of a served application, by the way that coverage documents for processes that end by os._exit()."""

from __future__ import annotations

from pathlib import Path

import pytest
from coverage import Coverage

from tests.helpers.processes import running
from tests.helpers.serving import request

SHOP = """
def app(environ, start_response):
    start_response("200 OK", [])
    if environ["PATH_INFO"] == "/seen":
        return [b"seen"]
    return [b"not seen"]
"""
CONFIGURATION = """
[run]
parallel = true
patch = _exit
include = {folder}/*
data_file = {folder}/data
"""


@pytest.mark.parametrize(
    "options", [["-w", "1"], ["-w", "2", "--threads", "1"], ["-w", "2", "--preload"]], ids=" ".join
)
@pytest.mark.parametrize("backend", ["c", "py"])
def test_what_the_workers_ran_is_collected(tmp_path: Path, backend: str, options: list[str]) -> None:
    site, configuration = tmp_path / "shop.py", tmp_path / "coveragerc"
    site.write_text(SHOP)
    configuration.write_text(CONFIGURATION.format(folder=tmp_path))
    command = ["-m", "coverage", "run", f"--rcfile={configuration}", "-m", "fastwsgi", "shop:app"]
    with running([*command, "--bind", "127.0.0.1:0", "--chdir", str(tmp_path), *options], backend) as server:
        with server.connect() as client:
            assert client.send(request(target="/seen")).answer().body == b"seen"
        server.signal()
        assert server.wait() == 0
    collected = Coverage(config_file=str(configuration))
    collected.combine()
    assert collected.get_data().lines(str(site)) is not None
    assert sorted(collected.get_data().lines(str(site)) or ()) == [2, 3, 4, 5]
