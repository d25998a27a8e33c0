"""One claim in a process of its own: a crash or a leak stays inside."""

import sys

from banach.claims import main

sys.exit(main(sys.argv[1:]))
