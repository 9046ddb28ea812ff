"""`python -m fastwsgi`: the same as the `fastwsgi` command."""

import sys

from fastwsgi.config.cli import main

if __name__ == "__main__":
    sys.exit(main())
