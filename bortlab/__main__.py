"""`python -m bortlab`: the same program as `bortlab`."""

import sys

from bortlab.cli import main

if __name__ == "__main__":
    sys.exit(main())
