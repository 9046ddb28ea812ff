"""The manual for Sphinx: `bash ci/docs.sh` builds it. Its pages are Markdown that also reads well as plain text."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from fastwsgi.version import VERSION

project = "fastwsgi"
release = version = VERSION
copyright = "the fastwsgi maintainers"
html_show_copyright = False  # LICENSE tells it

extensions = ["myst_parser"]
exclude_patterns = ["monitoring"]
myst_heading_anchors = 4
suppress_warnings = ["misc.highlighting_failure"]

html_theme = "furo"
html_title = f"fastwsgi {VERSION}"
html_static_path = ["static"]
html_css_files = ["manual.css"]
html_copy_source = False
html_show_sourcelink = False
pygments_style = "default"
pygments_dark_style = "github-dark"
