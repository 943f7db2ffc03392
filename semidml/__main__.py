"""python -m semidml"""

import sys

from semidml.cli import main

if __name__ == "__main__":
    sys.exit(main())
