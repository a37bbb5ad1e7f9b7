"""`python -m caxton_async` is the `caxton` command."""

import sys

from caxton_async.cli import main

if __name__ == "__main__":
    sys.exit(main())
