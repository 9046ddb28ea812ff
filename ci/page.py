"""Pictures of the status page: `python ci/page.py FOLDER`, or `--manual` for the two in docs/images.

The services that they show are made up, and the same each time (tests/helpers/status_scenes.py). Without --manual there
is one of each scene in light and dark, and of the width of a desk and of a phone. What the browser complains about, and
what is wider than the window, makes the exit code 1.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.status.page import render
from tests.helpers.browser import Browser, chromium
from tests.helpers.status_scenes import SCENES

WIDTHS = (1280, 400)
IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
PICTURES = (("calm", True, 840), ("saturated", False, 960))  # scene, whether it is dark, height


def take(browser: Browser, folder: Path, scene: str, dark: bool, width: int, height: int = 0) -> list[str]:
    """A picture; what is amiss with it. Without *height* it is of the whole page."""
    with tempfile.NamedTemporaryFile(suffix=".html") as file:
        file.write(render(*SCENES[scene]()))
        file.flush()
        browser.look(f"file://{file.name}", width, height or 800, dark)
        path = folder / f"status-{scene}-{'dark' if dark else 'light'}-{width}.png"
        if height:
            browser.driver.save_screenshot(str(path))
        else:
            browser.picture(path)
        wide = browser.run("return document.documentElement.scrollWidth") - width
        browser.driver.get("about:blank")
    print(f"{path}: {path.stat().st_size // 1024} KiB")
    return browser.complaints() + ([f"{path.name} is {wide} pixels too wide"] if wide > 0 else [])


def main() -> int:
    os.environ["TZ"] = "UTC"
    time.tzset()
    arguments = sys.argv[1:]
    if len(arguments) != 1:
        print(__doc__)
        return 2
    for_manual = arguments == ["--manual"]
    folder = IMAGES if for_manual else Path(arguments[0])
    folder.mkdir(parents=True, exist_ok=True)
    wanted = [(scene, dark, width, 0) for scene in SCENES for dark in (False, True) for width in WIDTHS]
    if for_manual:
        wanted = [(scene, dark, 1280, height) for scene, dark, height in PICTURES]
    with chromium() as browser:
        faults = [fault for one in wanted for fault in take(browser, folder, *one)]
    print("\n".join(faults) or f"{len(wanted)} pictures")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
