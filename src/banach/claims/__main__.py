"""One claim in a process of its own: a crash or a leak stays inside."""

import os
import signal
import sys

from banach.claims import main

# Ctrl-C reaches the parent too, which says so: one line is enough.
signal.signal(signal.SIGINT, lambda *_: os._exit(130))
sys.exit(main(sys.argv[1:]))
