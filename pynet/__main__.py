"""`python -m pynet`: the command line."""

import sys

from pynet.cli import main

if __name__ == "__main__":
    sys.exit(main())
