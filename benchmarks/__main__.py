"""Command line of the benchmarks; a full run writes RESULTS.md beside this file."""

import argparse
import importlib
import json
import sys
from pathlib import Path

from benchmarks import measure

NAMES = (
    "logistic_small logistic_large startup tracing lasso many recompilation stated_anew"
).split()
EXTRA = (
    "training awkward constants defaults cutest cutest_equations unconstrained tables "
    "nist transport speed specialists optimizers"
).split()
RESULTS = Path(__file__).parent / "RESULTS.md"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    known = NAMES + EXTRA
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(known))
    parser.add_argument("--json", action="store_true", help="JSON on stdout")
    parser.add_argument("--quick", action="store_true", help="small, not written")
    parser.add_argument("--against", metavar="COMMIT", help="startup: an older build")
    parser.add_argument("--rows", metavar="ROW", nargs="*", help="startup: these alone")
    args = parser.parse_args()
    if args.against and args.names != ["startup"]:
        parser.error("--against belongs to startup: python -m benchmarks startup "
                     "--against COMMIT")  # fmt: skip
    if args.rows and not args.against:
        parser.error("--rows selects rows of startup --against COMMIT")
    unknown = sorted(set(args.names) - set(known))
    if unknown:
        parser.error(f"no benchmark {unknown}; there are {known}")
    machine = measure.machine()
    reports = []
    for name in args.names or NAMES:
        print(f"{name} ...", file=sys.stderr, flush=True)
        report = _report(name, args)
        reports.append(report)
        if not args.json:
            print(report.markdown(), flush=True)
    if args.json:
        said = {"machine": machine, "reports": [r.as_dict() for r in reports]}
        print(json.dumps(said, default=float))
    if not args.names and not args.quick:
        RESULTS.write_text(document(machine, reports), encoding="utf-8")
    return 0


def _report(name: str, args: argparse.Namespace) -> measure.Report:
    if args.against:
        from benchmarks import against

        return against.run(args.quick, args.against, args.rows)
    return importlib.import_module(f"benchmarks.{name}").run(args.quick)


def document(machine, reports) -> str:
    versions = ", ".join(f"{k} {v}" for k, v in machine["versions"].items())
    head = [
        "# Benchmark results",
        "",
        "Written by `make bench` (`python -m benchmarks`). Ratios are medians of "
        "paired, alternating runs: below 1, banach is faster. banach's check judges "
        "every peer's answer, off the clock. The longer ones have pages of their own: "
        "[first answers](STARTUP.md), [CUTEst](CUTEST.md), its "
        "[equations](CUTEST_EQUATIONS.md), [NIST](NIST.md), "
        "[transport](TRANSPORT.md), [constants](CONSTANTS.md).",
        "",
        f"{machine['date']}; {machine['cpu']}, {machine['cores']} cores, "
        f"{machine['system']}; Python {machine['python']}; {versions}; load average "
        f"at the start {machine['load']}.",
        "",
    ]
    return "\n".join(head) + "\n" + "\n".join(r.markdown() for r in reports)


if __name__ == "__main__":
    sys.exit(main())
