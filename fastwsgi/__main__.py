"""`python -m fastwsgi`: the same as the `fastwsgi` command."""

import sys

from fastwsgi.cli import main

if __name__ == "__main__":
    sys.exit(main())
