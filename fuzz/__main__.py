"""The command: `python -m fuzz --lanes 100000 --seed 0`."""

import argparse
import multiprocessing
import sys
import time
from multiprocessing import connection
from typing import Any

from fuzz import registry
from fuzz.work import one, send


def main() -> int:
    """0 where nothing was false."""
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("--lanes", type=int, default=10_000, help="lanes in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kind", help="names of kinds, or parts of names, by commas")
    parser.add_argument("--list", action="store_true", help="kinds and their truths")
    parser.add_argument(
        "--executor", choices=("xla", "numpy"), default="xla", help="of the looks"
    )
    parser.add_argument("--jobs", type=int, default=2, help="processes")
    parser.add_argument("--show", type=int, default=1, help="cases of each sort shown")
    parser.add_argument("--record", help="a page whose last part the table replaces")
    args = parser.parse_args()
    kinds = registry.chosen(args.kind)
    if not kinds:
        parser.error(f"no kind is called {args.kind!r}; see --list")
    if args.list:
        print(registry.listing(kinds))
        return 0
    began = time.perf_counter()
    shares = registry.shares(kinds, args.lanes)
    tasks = [
        (name, lanes, args.seed, args.show, args.executor)
        for name, lanes in shares.items()
    ]
    print(f"seed {args.seed}, {args.lanes} lanes, {len(kinds)} kinds, "
          f"{len(registry.shapes(kinds))} shapes", flush=True)  # fmt: skip
    rows, false = [], 0
    for counts, cases, line in _run(tasks, args.jobs):
        rows += counts
        false += sum(c.false + c.bound + c.scale + c.crashes for c in counts)
        for case in cases:
            print(f"\n{case}", flush=True)
        print(line, flush=True)
    from fuzz.report import record, table

    print(f"\n{table(rows)}")
    took = time.perf_counter() - began
    print(f"{false} false, {took:.0f} s, seed {args.seed}")
    if args.record:
        record(args.record, rows, args.seed, took)
    return int(false > 0)


def _run(tasks: list[Any], jobs: int):
    if jobs <= 1:
        yield from map(one, tasks)
        return
    # A fresh process a kind: XLA gives its memory back with the process alone.
    context = multiprocessing.get_context("spawn")
    waiting, running = list(tasks), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            here, there = context.Pipe(duplex=False)
            process = context.Process(target=send, args=(waiting.pop(0), there))
            process.start()
            there.close()
            running[here] = process
        for here in connection.wait(list(running)):
            process = running.pop(here)
            try:
                done = here.recv()
            except EOFError:
                raise SystemExit(f"{process.name} died: see its traceback") from None
            process.join()
            yield done


if __name__ == "__main__":
    sys.exit(main())
