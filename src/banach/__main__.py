"""Entry point of `banach` and `python -m banach`."""

import gc
import os
import sys


def main() -> None:
    """Run the command line; its exit code says what the answer is worth."""
    from banach.cli import interrupt

    interrupt.start()
    # The logs of the compiler's start-up are not for users.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # Importing and tracing make many objects that stay: fewer collections, 0.1 s.
    gc.set_threshold(50_000, 20, 20)
    from banach.cli import fast_parser

    code = fast_parser.run(sys.argv[1:])
    if code is None:
        from banach.cli.app import run

        code = run(sys.argv[1:])
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)
    # Everything is written. Taking the interpreter and XLA apart would cost 0.1 s.
    os._exit(code)


if __name__ == "__main__":
    main()
