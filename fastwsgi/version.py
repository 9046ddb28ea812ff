"""The version, in the one file that names it."""

VERSION = "0.1.0"
SOFTWARE = f"fastwsgi/{VERSION}"  # SERVER_SOFTWARE
