"""The version, in the one file that names it."""

from sys import intern

VERSION = "0.1.0"
SOFTWARE = intern(f"fastwsgi/{VERSION}")  # SERVER_SOFTWARE: interned, loops without a GIL count no references to it
