"""First answers, paired with those of an older build and of peers.

`python -m benchmarks startup --against COMMIT`. Every number is of a fresh process
with an empty cache, unless its row says otherwise; contenders alternate, A B then B A,
and a ratio is the median over the rounds.
"""

import compileall
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import data, fresh, measure

ROOT = Path(__file__).parent.parent
PAGE = Path(__file__).parent / "STARTUP.md"
SOLVE = ["-m", "banach", "solve", "logistic:breast_cancer"]
LONGEST = 30.0  # seconds of one built-in problem
CACHES = ("BANACH_CACHE", "JAX_COMPILATION_CACHE_DIR")


class Found(NamedTuple):
    """One row of the table, and what stands beside it."""

    what: str
    measured: float
    required: float
    stretch: float
    said: str
    detail: Any = None


class Bench:
    """Two builds, a temporary folder, and processes in it."""

    def __init__(self, folder: Path, old: Path, quick: bool):
        self.folder, self.quick = folder, quick
        self.src = {"new": ROOT / "src", "old": old}
        self.made = 0
        A, y = data.breast_cancer()
        self.data = folder / "breast_cancer.npz"
        np.savez(self.data, A=A, y=y)

    def rounds(self, full: int) -> int:
        """How often a row is measured."""
        return 2 if self.quick else full

    def cache(self) -> Path:
        """An empty folder for one process's cache."""
        self.made += 1
        place = self.folder / f"cache{self.made}"
        place.mkdir()
        return place

    def environment(self, build: str, cache: Path) -> dict[str, str]:
        """The environment of a process: this build's sources, this cache, no other."""
        env = {
            k: v
            for k, v in os.environ.items()
            if k not in CACHES and not k.startswith("JAX_PERSISTENT_CACHE")
        }
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        path = os.pathsep.join([str(self.src[build]), str(ROOT)])
        return env | {"PYTHONPATH": path, "XDG_CACHE_HOME": str(cache)}

    def process(self, build: str, args: list[str], cache: Path) -> tuple[float, str]:
        """(wall seconds, stdout) of one process that must succeed."""
        env = self.environment(build, cache)
        began = time.perf_counter()
        done = subprocess.run(
            [sys.executable, *args], env=env, cwd=self.folder, capture_output=True,
            text=True,
        )  # fmt: skip
        seconds = time.perf_counter() - began
        if done.returncode:
            raise RuntimeError(f"{args} ended with {done.returncode}: {done.stderr}")
        return seconds, done.stdout

    def job(self, build: str, name: str, **options: Any) -> dict[str, Any]:
        """What one job of `benchmarks.fresh` found."""
        options |= {"data": str(self.data)}
        if not name.startswith(("optimistix", "sklearn")):
            options |= {"src": str(self.src[build])}
        args = ["-m", "benchmarks.fresh", name, json.dumps(options)]
        wall, said = self.process(build, args, self.cache())
        return {"wall": wall, **json.loads(said.splitlines()[-1])}


def alternating(
    contenders: dict[str, Callable[[], Any]], rounds: int
) -> dict[str, list[Any]]:
    """What each contender says in every round, A B then B A; no warm-up."""
    seen: dict[str, list[Any]] = {name: [] for name in contenders}
    names = list(contenders)
    for i in range(rounds):
        for name in names if i % 2 == 0 else reversed(names):
            seen[name].append(contenders[name]())
    return seen


def medians(seen: dict[str, list[float]], unit: str = "s") -> str:
    """Medians and spreads, for the table's last column."""
    return "; ".join(
        f"{name} {measure.shown(statistics.median(v))} {unit} "
        f"({measure.shown(min(v))} to {measure.shown(max(v))})"
        for name, v in seen.items()
    )


def over_optimistix(bench: Bench, what: str, problem: str, judged: Any) -> Found:
    """A first call beside Optimistix BFGS, at the loosest tolerance that certifies."""

    def x_of(tol: float) -> Any:
        found = bench.job("new", f"optimistix_{problem}", tol=tol, jit=False)
        return np.array(found["x"])

    tol = measure.loosest(x_of, lambda x: judged(x).certified)
    if tol is None:
        raise RuntimeError(f"Optimistix BFGS never certified on {problem}")
    ours = bench.job("new", f"banach_{problem}")
    if ours["status"] != "certified":
        raise RuntimeError(f"banach's first call ended {ours['status']}")

    def timed(build: str, job: str, **o: Any) -> Callable[[], dict[str, Any]]:
        return lambda: bench.job(build, f"{job}_{problem}", **o)

    jobs = alternating(
        {
            "banach": timed("new", "banach"),
            "Optimistix": timed("new", "optimistix", tol=tol, jit=False),
            "Optimistix in one jit": timed("new", "optimistix", tol=tol, jit=True),
            "old build": timed("old", "banach"),
        },
        bench.rounds(7),
    )
    seen = {name: [j["seconds"] for j in v] for name, v in jobs.items()}
    begun = {n: [j["seconds"] + j["start"] for j in v] for n, v in jobs.items()}
    cpu = {n: [j["cpu"] for j in v] for n, v in jobs.items()}
    best = min(("Optimistix", "Optimistix in one jit"), key=lambda n: min(seen[n]))
    ratios = {
        "old build over it": measure.ratio(seen, "old build", best),
        "in CPU seconds": measure.ratio(cpu, "banach", best),
        "with the start of JAX": measure.ratio(begun, "banach", best),
    }
    said = [medians(seen), f"over {best}, rtol = atol = {tol:.3g}"]
    said += [f"{name} {measure.shown(r)}" for name, r in ratios.items()]
    return Found(what, measure.ratio(seen, "banach", best), 1.0, 0.7, "; ".join(said))


def rosen(bench: Bench) -> Found:
    """`bn.minimize` of a function of two variables."""
    import banach as bn

    problem = bn.Smooth(fresh.rosen, np.array(fresh.ROSEN_X0))
    return over_optimistix(
        bench, "`bn.minimize(rosen, x0)`, call alone, over Optimistix BFGS cold",
        "rosen", lambda x: bn.verify(problem, x),
    )  # fmt: skip


def logistic(bench: Bench) -> Found:
    """`bn.solve` of a logistic regression."""
    import banach as bn

    problem = bn.LogisticRegression(*data.breast_cancer(), 1.0)
    return over_optimistix(
        bench, "`bn.solve(LogisticRegression)` 569 x 30, over Optimistix BFGS cold",
        "logistic", lambda x: bn.verify(problem, x),
    )  # fmt: skip


def second(bench: Bench) -> Found:
    """The command line in a process that finds what another one left."""
    homes = {build: bench.cache() for build in bench.src}
    first = {b: bench.process(b, SOLVE, home)[0] for b, home in homes.items()}
    seen = alternating(
        {b: lambda b=b: bench.process(b, SOLVE, homes[b])[0] for b in homes},
        bench.rounds(11),
    )
    said = f"{medians(seen)}; with nothing kept {_each(first)}"
    what = "`banach solve logistic:breast_cancer`, second process, over the old build"
    return Found(what, measure.ratio(seen, "new", "old"), 0.5, 0.35, said)


def _each(seconds: dict[str, float]) -> str:
    return ", ".join(f"{k} {measure.shown(v)} s" for k, v in seconds.items())


def builtins(bench: Bench) -> Found:
    """Every built-in problem that both builds know, first call, once a build."""
    known = {build: bench.job(build, "names")["names"] for build in ("new", "old")}
    names = [name for name in known["new"] if name in known["old"]]
    names = names[:: len(names) // 3] if bench.quick else names
    table, ratios = [], []
    for i, name in enumerate(names):
        seen = alternating(
            {
                b: lambda b=b, name=name: bench.job(
                    b, "builtin", problem=name, time_limit=LONGEST
                )
                for b in (("new", "old") if i % 2 == 0 else ("old", "new"))
            },
            1,
        )
        new, old = seen["new"][0], seen["old"][0]
        ratios.append(new["seconds"] / old["seconds"])
        said = new["status"]
        if new["status"] != old["status"]:
            said += f" (old build: {old['status']})"
        table.append([name, new["seconds"], old["seconds"], ratios[-1], said])
        print("    ", *table[-1], file=sys.stderr, flush=True)
    columns = ["problem", "new s", "old s", "new / old", "ended"]
    detail = "\n".join(["### First calls", "", *measure.table(columns, table)])
    return Found(
        "first call of every built-in problem, median over the old build",
        statistics.median(ratios), 0.35, 0.2,
        f"{len(names)} problems, at most {LONGEST:g} s each; "
        f"{measure.shown(min(ratios))} to {measure.shown(max(ratios))}", detail,
    )  # fmt: skip


def race(bench: Bench) -> Found:
    """Every method on one problem, whole processes; and the old build's methods alone.

    Views let more methods run than the old build knew how to.
    """
    args = ["-m", "banach", "race", "logistic:breast_cancer"]
    told = bench.process("old", [*args, "--json"], bench.cache())[1]
    field = [run["method"] for run in json.loads(told)["runs"]]
    alike = [*args, *(word for name in field for word in ("--method", name))]
    ways: dict[str, tuple[str, list[str]]] = {b: (b, args) for b in bench.src}
    ways["new, the old field"] = "new", alike
    seen = alternating(
        {
            name: lambda b=b, words=words: bench.process(b, words, bench.cache())[0]
            for name, (b, words) in ways.items()
        },
        bench.rounds(3),
    )
    what = "`race logistic:breast_cancer`, wall, over the old build"
    same = measure.ratio(seen, "new, the old field", "old")
    said = f"{medians(seen)}; the same {len(field)} methods {measure.shown(same)}"
    return Found(what, measure.ratio(seen, "new", "old"), 0.3, 0.2, said)


def anew(bench: Bench) -> list[Found]:
    """What a new object of a known structure costs, and a known function."""
    rounds = 11 if bench.quick else 101
    seen = alternating(
        {b: lambda b=b: bench.job(b, "anew", rounds=rounds) for b in bench.src},
        bench.rounds(5),
    )

    def middle(build: str, name: str) -> float:
        return statistics.median(statistics.median(s[name]) for s in seen[build])

    ratio = {
        b: statistics.median(measure.ratio(s, "anew", "same") for s in v)
        for b, v in seen.items()
    }
    ms = {b: 1e3 * middle(b, "known") for b in seen}
    said = {f"{k}, {b} build": middle(b, k) for b in seen for k in ("same", "anew")}
    return [
        Found(
            "stated anew over same object, logistic 569 x 30", ratio["new"], 1.3, 1.1,
            f"old build {measure.shown(ratio['old'])}; {_each(said)}",
        ),
        Found(
            "`bn.minimize` of a known function, ms", ms["new"], 2.0, 1.0,
            f"old build {measure.shown(ms['old'])} ms",
        ),
    ]  # fmt: skip


def warm(bench: Bench) -> list[Found]:
    """Warm solves at a tight tolerance, beside SciPy."""
    rounds = 11 if bench.quick else 51
    seen = alternating(
        {b: lambda b=b: bench.job(b, "warm", rounds=rounds) for b in bench.src},
        bench.rounds(5),  # processes: threads of two libraries may meet badly in one
    )
    out = []
    for name, required, stretch in [("same", 0.5, 0.3), ("anew", 0.7, 0.4)]:
        peer = f"SciPy beside {name}"
        ratio = {
            b: statistics.median(measure.ratio(s, name, peer) for s in v)
            for b, v in seen.items()
        }
        said = {
            k: statistics.median(statistics.median(s[k]) for s in seen["new"])
            for k in (name, peer)
        }
        what = (
            "warm, breast_cancer, stationarity 1e-8, over SciPy trust-exact: "
            + {"same": "the same object", "anew": "stated anew"}[name]
        )
        old = f"{_each(said)}; old build {measure.shown(ratio['old'])}"
        out.append(Found(what, ratio["new"], required, stretch, old))
    return out


def memory(bench: Bench) -> Found:
    """The most memory that a process held, imports and data included."""
    import banach as bn

    n, p = 1000, 2000
    rng = np.random.default_rng(0)
    A = rng.standard_normal((n, p))
    b = A @ (rng.standard_normal(p) * (rng.random(p) < 0.02)) + rng.standard_normal(n)
    lam = 0.1 * float(np.abs(A.T @ b).max())
    saved = str(bench.folder / "lasso.npz")
    np.savez(saved, A=A, b=b, lam=lam)
    problem = bn.Lasso(A, b, lam)

    def peer(tol: float) -> dict[str, Any]:
        return bench.job("new", "sklearn_lasso", lasso=saved, tol=tol)

    tol = measure.loosest(
        lambda tol: np.array(peer(tol)["x"]), lambda x: bn.verify(problem, x).certified
    )
    if tol is None:
        raise RuntimeError("scikit-learn's Lasso never certified")
    seen = alternating(
        {
            "banach": lambda: bench.job("new", "banach_lasso", lasso=saved)["peak"],
            "scikit-learn": lambda: peer(tol)["peak"],
            "old build": lambda: bench.job("old", "banach_lasso", lasso=saved)["peak"],
        },
        bench.rounds(3),
    )
    old = measure.ratio(seen, "old build", "scikit-learn")
    return Found(
        "peak memory of a Lasso 1000 x 2000 over scikit-learn's",
        measure.ratio(seen, "banach", "scikit-learn"), 1.3, 1.1,
        f"{medians(seen, 'MB')}; old build over it {measure.shown(old)}",
    )  # fmt: skip


ROWS: dict[str, Callable[[Bench], Found | list[Found]]] = {
    "rosen": rosen,
    "logistic": logistic,
    "builtins": builtins,
    "race": race,
    "second": second,
    "anew": anew,
    "warm": warm,
    "memory": memory,
}


def run(quick: bool, commit: str, only: list[str] | None = None) -> measure.Report:
    """The table; written to STARTUP.md where it is whole."""
    load = os.getloadavg()[0]
    found: list[Found] = []
    unknown = sorted(set(only or ()) - set(ROWS))
    if unknown:
        raise SystemExit(f"no row {unknown}; there are {list(ROWS)}")
    with sources(commit) as old, tempfile.TemporaryDirectory() as folder:
        for src in (ROOT / "src", ROOT / "benchmarks", old):
            compileall.compile_dir(src, quiet=2)
        bench = Bench(Path(folder), old, quick)
        for name in only or ROWS:
            rows = ROWS[name](bench)
            for row in rows if isinstance(rows, list) else [rows]:
                found.append(row)
                print("  ", *row[:5], file=sys.stderr, flush=True)
    report = measure.Report(
        f"startup --against {commit}",
        f"First answers, beside the build of {commit} and peers",
        "Fresh processes and empty caches unless a row says otherwise; contenders "
        "alternate; ratios are medians over the rounds. A clock around a call alone "
        "starts after the imports and JAX's first operation; what a library imports "
        "only when it is called is inside. A peer has the loosest tolerance of its own "
        f"that banach's check certifies at 1e-6. Load average at the start {load:.2f}."
        + (" A quick run: too few rounds for a number to quote." if quick else ""),
        ["what", "measured", "required", "stretch", "medians (least to most)"],
        [list(row[:5]) for row in found],
        [measure.Goal(row.what, row.measured, row.required) for row in found],
        [row.detail for row in found if row.detail],
    )
    if not quick and only is None:
        measure.keep(report, PAGE)
    return report


@contextlib.contextmanager
def sources(commit: str) -> Iterator[Path]:
    """The folder `src` of a commit, taken out of the repository for a while."""
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "src.tar"
        git = ["git", "-C", str(ROOT), "archive", "-o", str(packed), commit, "src"]
        done = subprocess.run(git, capture_output=True, text=True)
        if done.returncode:
            raise SystemExit(f"no commit {commit} here: {done.stderr.strip()}")
        subprocess.run(["tar", "-xf", str(packed), "-C", folder], check=True)
        yield Path(folder) / "src"
