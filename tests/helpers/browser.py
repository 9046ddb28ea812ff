"""Chromium of the system without a screen, and what a test asks it.

It is driven by Selenium and its own chromedriver, which have the same version. As that takes a minute, tests that want
it run with WITH_BROWSER=1 alone, as ci/page.sh has it, and fail there if the browser is missing.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Callable

import pytest

from tests.helpers.serving import PATIENCE

CHROMIUM, DRIVER = (shutil.which(name) for name in ("chromium", "chromedriver"))
needs_browser = pytest.mark.skipif(
    not os.environ.get("WITH_BROWSER"), reason="only with WITH_BROWSER=1: ci/page.sh"
)
ARGUMENTS = (
    "--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-proxy-server",
)  # fmt: skip


class Browser:
    """A window of Chromium.

    Args:
        driver: selenium.webdriver.Chrome.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def look(self, url: str, width: int = 1280, height: int = 800, dark: bool = False) -> None:
        """Load *url* in a window of that size."""
        self.size(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})
        self.driver.get(url)

    def size(self, width: int, height: int) -> None:
        """Have the window be so large."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    def let_script(self, run: bool) -> None:
        """Whether pages may run script from the next one on."""
        self.driver.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not run})

    def run(self, script: str, *arguments: Any) -> Any:
        """What *script* returns."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str = "body") -> str:
        """The text of the first element that *selector* finds, as it is shown; "" if there is none."""
        found = self.run("return document.querySelector(arguments[0])?.innerText", selector)
        return " ".join((found or "").split())

    def comes(self, holds: Callable[[], object]) -> None:
        """Wait until *holds*."""
        until = time.monotonic() + PATIENCE
        while not holds():
            assert time.monotonic() < until, self.text()
            time.sleep(0.05)

    def complaints(self) -> list[str]:
        """What the browser has had to say since it was last asked: errors of scripts, violations of the policy."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, path: Path) -> None:
        """The whole page as a PNG, as wide as the window is."""
        width, height = self.run("return [innerWidth, document.documentElement.scrollHeight]")
        self.size(width, height)
        assert self.driver.save_screenshot(str(path))


@contextmanager
def chromium() -> Iterator[Browser]:
    """A window."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM or ""
    for argument in ARGUMENTS:
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER or ""))
    driver.set_page_load_timeout(PATIENCE)
    try:
        yield Browser(driver)
    finally:
        driver.quit()
