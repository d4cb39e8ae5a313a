"""`python bench/gpucheck`: the command in a checkout where pynet has not been compiled yet."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from gpucheck.run import main  # the line above finds it

if __name__ == "__main__":
    sys.exit(main())
