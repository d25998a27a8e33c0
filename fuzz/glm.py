"""Generalised linear models: the duality gap, and the distance that it bounds."""

from typing import Any, ClassVar

import numpy as np

from fuzz import draw, newton
from fuzz.exact import ONE, TWO, ZERO, dec, decs, dot, exp, log1p, softplus
from fuzz.kind import Kind, show

LD = np.longdouble
N, P, K = 4, 3, 3


class Glm(Kind):
    """f(x) - f* of one loss and one term."""

    check: ClassVar[str] = "gap"
    truth_is: ClassVar[str] = "f(x) - f(best), f exact, best by Newton in 80 bits"
    loss: ClassVar[str] = "squares"
    term: ClassVar[str] = "l2"
    free: ClassVar[bool] = False
    n: ClassVar[int] = N
    p: ClassVar[int] = P

    def __init__(self, name, loss, term, free=False, n=N, p=P):
        self.name, self.loss, self.term, self.free = name, loss, term, free
        self.n, self.p = n, p
        self.shape = f"{n} x {p}"
        if loss in ("logistic", "poisson", "softmax"):
            # Enough for a product of floats that cancels; exp takes long at more.
            self.sure = 700
        self.zeroable = ("A", "y", "w") if self.real else ("A", "w")
        self.roundable = ("A", "w", *self.numbers) + (("y",) if self.real else ())

    @property
    def real(self):
        """Whether targets are measurements."""
        return self.loss in ("squares", "huber")

    @property
    def numbers(self):
        """Names of the hyperparameters of this kind."""
        terms = {
            "l2": ("l2",), "l1": ("l1",), "enet": ("l1", "l2"), "group": ("lam",),
            "box": ("lower", "upper"), "nonneg": (), "simplex": ("radius",),
        }  # fmt: skip
        return terms[self.term] + (("delta",) if self.loss == "huber" else ())

    def draw(self, rng, dtype, count):
        """Scales, degenerate shapes, weights; penalties around their natural unit."""
        s = draw.scales(rng, dtype, count)
        ea, ey = s.a, s.y if self.real else np.zeros(count)
        M = draw.matrix(rng, count, self.n, self.p)
        A = draw.cast(draw.power(ea)[:, None, None] * M, dtype)
        if self.real:
            y = draw.targets(rng, M)
            y = draw.cast(draw.power(ey)[:, None] * y, dtype)
        elif self.loss == "poisson":
            y = rng.integers(0, 4, (count, self.n))
            y[rng.random(count) < 0.1] *= 10 ** int(rng.integers(0, 5))
            y[y.sum(axis=1) == 0, 0] = 1
            y = y.astype(dtype)
        elif self.loss == "softmax":
            y = rng.integers(0, K, (count, self.n))
            if self.free:
                y[:, :K] = np.arange(K)
            y = y.astype(np.int32)
        else:
            y = rng.choice([-1.0, 1.0], (count, self.n))
            one = rng.random(count) < 0.15
            y[one] = y[one, :1]
            if self.free:
                y[:, 0], y[:, 1] = 1, -1
            y = y.astype(dtype)
        w = draw.weights(rng, count, self.n, dtype)
        if self.free:
            # Every class keeps some weight.
            w = np.where(w > 0, w, np.asarray(1, dtype))
        out = {"A": A, "y": y, "w": w}
        natural = {"l2": 2 * ea, "l1": ea + ey, "lam": ea + ey, "delta": ey}
        for name in self.numbers:
            if name in natural:
                out[name] = draw.penalties(s, natural[name], dtype)
        e = ey - ea + rng.uniform(-3, 3, count)
        e = np.where(np.isnan(s.free), e, s.free)
        if self.term == "simplex":
            out["radius"] = draw.positive(draw.power(e), dtype)
        if self.term == "box":
            mid = rng.normal(size=(count, self.p)) * (rng.random((count, 1)) < 0.7)
            half = abs(rng.normal(size=(count, self.p)))
            half *= rng.random((count, self.p)) < 0.9
            for name, side in (("lower", mid - half), ("upper", mid + half)):
                out[name] = draw.cast(draw.power(e)[:, None] * side, dtype)
        return out

    def problem(self, one):
        """By its usual name."""
        import banach as bn

        A, y, w = one["A"], one["y"], one["w"]
        data = {"sample_weight": w}
        if self.free:
            data["intercept"] = True
        if self.loss == "softmax":
            model = bn.SoftmaxLoss(K)
        elif self.loss == "huber":
            model = bn.HuberLoss(one["delta"])
        else:
            names = {"squares": "Squared", "hinge": "SquaredHinge"}
            name = names.get(self.loss, self.loss.capitalize())
            model = getattr(bn, f"{name}Loss")()
        return bn.GLM(A, y, model, self._term(one), **data)

    def _term(self, one):
        import banach as bn

        if self.term == "l2":
            return bn.SquaredL2(one["l2"])
        if self.term == "l1":
            return bn.L1(one["l1"])
        if self.term == "enet":
            return bn.ElasticNet(one["l1"], one["l2"])
        if self.term == "group":
            return bn.GroupL2(one["lam"], [0, 0, 1])
        if self.term == "nonneg":
            return bn.Nonnegative()
        if self.term == "box":
            return bn.Box(one["lower"], one["upper"])
        return bn.Simplex(one["radius"])

    def code(self, one):
        """The same as source."""
        loss = {
            "softmax": f"bn.SoftmaxLoss({K})", "squares": "bn.SquaredLoss()",
            "hinge": "bn.SquaredHingeLoss()", "logistic": "bn.LogisticLoss()",
            "poisson": "bn.PoissonLoss()",
        }.get(self.loss)  # fmt: skip
        if loss is None:
            loss = f"bn.HuberLoss({show(one['delta'])})"
        names = {
            "l2": "SquaredL2", "l1": "L1", "enet": "ElasticNet", "group": "GroupL2",
            "nonneg": "Nonnegative", "box": "Box", "simplex": "Simplex",
        }  # fmt: skip
        given = [show(one[k]) for k in self.numbers if k != "delta"]
        given += ["[0, 0, 1]"] if self.term == "group" else []
        more = f", sample_weight={show(one['w'])}" if np.any(one["w"] != 1) else ""
        more += ", intercept=True" if self.free else ""
        return (
            f"bn.GLM({show(one['A'])}, {show(one['y'])}, {loss}, "
            f"bn.{names[self.term]}({', '.join(given)}){more})"
        )

    def _model(self, batch):
        get = batch.get
        lower, upper = get("lower"), get("upper")
        if self.term == "nonneg":
            lower = np.zeros(len(batch["A"]))
        return newton.model(
            self.loss, batch["A"], batch["y"], batch["w"], l1=get("l1"), l2=get("l2"),
            delta=get("delta"), lower=lower, upper=upper, intercept=self.free,
            classes=K if self.loss == "softmax" else 1,
            group=(batch["lam"], np.array([0, 0, 1])) if self.term == "group" else None,
        )  # fmt: skip

    def solve(self, batch):
        """The best of a few runs of Newton's method, and the best constant model."""
        with np.errstate(all="ignore"):
            m = self._model(batch)
            count, d = len(batch["A"]), newton.size(m)
            null = np.zeros((count, d), LD)
            if self.free:
                only = np.zeros((count, d), bool)
                only[:, self.p * m.classes :] = True
                null = newton.minimise(m, only)
                if self.loss == "huber":
                    null = self._centred(m, null, only)
            if self.term == "simplex":
                best = self._simplex(batch)
            elif self.term == "group":
                best = self._grouped(m, null)
            else:
                best = newton.minimise(m, start=null)
        shape = (count, self.p + self.free)
        shape += (K,) if self.loss == "softmax" else ()
        return batch | {"best": best.reshape(shape), "null": null.reshape(shape)}

    def _centred(self, m, null, only):
        """From every target: far from all of them Huber's loss has no curvature."""
        tries = [null]
        for i in range(self.n):
            start = np.zeros_like(null)
            start[:, -1] = m.y[:, i]
            tries.append(newton.minimise(m, only, start))
        T = np.stack(tries, axis=1)
        pick = newton.objective(m, T).argmin(axis=1)
        return T[np.arange(len(T)), pick]

    def _grouped(self, m, null):
        plain = m._replace(group=None)
        rough = newton.minimise(plain)
        tries = [null]
        for keep in ([0, 1], [2], [0, 1, 2]):
            allowed = np.zeros(null.shape, bool)
            allowed[:, keep] = True
            start = np.where(allowed, rough, 0)
            for shrink in (1, LD(0.1), LD(1e-3)):
                tries.append(newton.minimise(m, allowed, start * shrink))
        T = np.stack(tries, axis=1)
        pick = newton.objective(m, T).argmin(axis=1)
        return T[np.arange(len(T)), pick]

    def _simplex(self, batch):
        """The best of all faces: x = r e_k + edges of the face, edges free."""
        A, y, w, r = (LD(batch[k]) for k in ("A", "y", "w", "radius"))
        count, p = len(A), self.p
        tries = []
        for k in range(p):
            x = np.zeros((count, p), LD)
            x[:, k] = r
            tries.append(x)
            others = [j for j in range(p) if j != k]
            for own in ([others[0]], [others[1]], others):
                D = A[:, :, own] - A[:, :, [k]]
                rest = y - A[:, :, k] * r[:, None]
                H = np.einsum("bni,bnj,bn->bij", D, D, w)
                g = np.einsum("bni,bn,bn->bi", D, w, rest)
                t = newton.linear(H, g)
                rest = rest - np.einsum("bni,bi->bn", D, t)
                t = t + newton.linear(H, np.einsum("bni,bn,bn->bi", D, w, rest))
                t = np.clip(np.where(np.isfinite(t), t, 0), 0, r[:, None])
                over = np.maximum(np.sum(t, axis=1) / r, 1)
                t = t / over[:, None]
                x = np.zeros((count, p), LD)
                x[:, own] = t
                x[:, k] = np.maximum(r - np.sum(t, axis=1), 0)
                tries.append(x)
        T = np.stack(tries, axis=1)
        z = np.einsum("bnp,btp->btn", A, T)
        values = np.sum(w[:, None] * (z - y[:, None]) ** 2, axis=2)
        return T[np.arange(count), values.argmin(axis=1)]

    def points(self, rng, batch, dtype):
        """Around the solution, at the null model, and anywhere."""
        reference = batch["null"]
        if self.term in ("box", "simplex"):
            reference = self._centre(batch)
        return draw.points(rng, batch["best"], reference, dtype)

    def _centre(self, batch):
        if self.term == "box":
            return (LD(batch["lower"]) + LD(batch["upper"])) / 2
        return np.repeat(LD(batch["radius"])[:, None] / self.p, self.p, axis=1)

    def truth(self, one, x):
        """F(x) - F(best): any feasible point gives a lower bound."""
        return [self.objective(one, x) - self.objective(one, self._feasible(one))]

    def scale(self, one):
        """F at the null model; at the centre of a set."""
        at = one["null"]
        if self.term in ("box", "simplex"):
            at = self._centre({k: np.asarray(v)[None] for k, v in one.items()
                               if k in ("lower", "upper", "radius")})[0]  # fmt: skip
        least = self.objective(one, at)
        if self.free and self.loss == "poisson":
            # One count alone is fitted exactly, by a logarithm that no digits hold.
            if len(set(one["y"][one["w"] > 0])) == 1:
                return [ZERO]
        if self.free and self.real:
            # A target itself may be the best constant, exactly.
            zero = [ZERO] * self.p
            for b in set(decs(one["y"])):
                least = min(least, self.objective(one, [*zero, b]))
        return [least]

    def _feasible(self, one):
        best = one["best"]
        if self.term != "simplex":
            return best
        # The largest entry takes what rounding left over: the sum is exact.
        x = decs(best)
        k = int(np.argmax(best))
        x[k] = dec(one["radius"]) - sum((v for j, v in enumerate(x) if j != k), ZERO)
        return x

    def objective(self, one, x):
        """F in Decimals."""
        rows, p = decs(one["A"]), self.p
        w = decs(one["w"])
        if self.loss == "softmax":
            c = decs(x)
            F = ZERO
            for i, row in enumerate(rows):
                if not w[i]:
                    continue
                z = [dot(row, [c[j][k] for j in range(p)]) for k in range(K)]
                if self.free:
                    z = [a + b for a, b in zip(z, c[p], strict=True)]
                own = z[int(one["y"][i])]
                top = max(z)
                rest = sorted(z)[:-1]
                # log sum exp(z - top) = log1p(the others).
                more = log1p(sum((exp(v - top) for v in rest), ZERO))
                F += w[i] * (top - own + more)
            flat = [v for row in c[:p] for v in row]
        else:
            c = x if isinstance(x, list) else decs(x)
            flat, b = c[:p], (c[p] if self.free else ZERO)
            F = ZERO
            for i, row in enumerate(rows):
                if w[i]:
                    z = dot(row, flat) + b
                    F += w[i] * self._loss(one, z, dec(one["y"][i]))
        return F + self._penalty(one, flat)

    def _loss(self, one, z, y):
        if self.loss == "squares":
            return (z - y) ** 2 / 2
        if self.loss == "huber":
            d, r = dec(one["delta"]), abs(z - y)
            return r * r / 2 if r <= d else d * (r - d / 2)
        if self.loss == "hinge":
            return max(ONE - y * z, ZERO) ** 2 / 2
        if self.loss == "logistic":
            return softplus(-y * z)
        if y == 0:
            return exp(z)
        return exp(z) - y + y * (y.ln() - z)

    def _penalty(self, one, c):
        g = ZERO
        if "l1" in self.numbers:
            g += dec(one["l1"]) * sum((abs(v) for v in c), ZERO)
        if "l2" in self.numbers:
            g += dec(one["l2"]) * dot(c, c) / 2
        if self.term == "group":
            g += dec(one["lam"]) * (dot(c[:2], c[:2]).sqrt() + abs(c[2]))
        return g


class SparseGlm(Glm):
    """Of a sparse matrix: an empty row, a column of one entry, stored zeros."""

    imports: ClassVar[tuple[str, ...]] = ("import scipy.sparse",)
    places: ClassVar[Any] = (np.array([0, 0, 2, 2, 2, 3]), np.array([0, 2, 0, 1, 2, 2]))

    def draw(self, rng, dtype, count):
        """The dense ones, with zeros where nothing is stored."""
        out = super().draw(rng, dtype, count)
        kept = np.zeros((self.n, self.p), dtype)
        kept[self.places] = 1
        return out | {"A": out["A"] * kept}

    def problem(self, one):
        """Of the entries in their places, zeros among them too."""
        from scipy.sparse import coo_array

        A = coo_array((one["A"][self.places], self.places), (self.n, self.p))
        return super().problem(one | {"A": A})

    def code(self, one):
        """The same as source; what is not stored is zero there too."""
        dense = show(one["A"])
        return super().code(one).replace(dense, f"scipy.sparse.csr_array({dense})", 1)


class GlmDistance(Glm):
    """||x - x*|| for the strongly convex ones."""

    check: ClassVar[str] = "gap_distance"
    truth_is: ClassVar[str] = (
        "||x - best|| - sqrt(2 gap(best) / mu), best by Newton in 80 bits"
    )
    solves: ClassVar[bool] = False

    def truth(self, one, x):
        """||x - best|| less what best itself may be off: ||grad F(best)|| / mu."""
        best = [dec(v) for v in one["best"]]
        far = [dec(a) - b for a, b in zip(x, best, strict=True)]
        off = self._gradient(one, best)
        mu = dec(one["l2"])
        return [dot(far, far).sqrt() - dot(off, off).sqrt() / mu]

    def _gradient(self, one, c):
        rows, w, y = decs(one["A"]), decs(one["w"]), decs(one["y"])
        slopes = []
        for row, wi, yi in zip(rows, w, y, strict=True):
            z = dot(row, c)
            if self.loss == "squares":
                s = z - yi
            elif self.loss == "hinge":
                s = -yi * max(ONE - yi * z, ZERO)
            else:
                s = -yi / (ONE + exp(yi * z))
            slopes.append(wi * s)
        l2 = dec(one["l2"])
        return [
            dot([r[j] for r in rows], slopes) + l2 * c[j] for j in range(self.p)
        ]  # fmt: skip

    def scale(self, one):
        """sqrt(2 F(null) / mu)."""
        F = self.objective(one, one["null"])
        return [(TWO * F / dec(one["l2"])).sqrt()]


def kinds() -> list[Any]:
    """Every regression and classifier whose gap is known."""
    return [
        Glm("ridge", "squares", "l2"),
        Glm("ridge_free", "squares", "l2", True),
        Glm("lasso", "squares", "l1"),
        Glm("lasso_free", "squares", "l1", True),
        Glm("elastic_net", "squares", "enet"),
        Glm("group_lasso", "squares", "group"),
        Glm("box", "squares", "box"),
        Glm("simplex", "squares", "simplex"),
        Glm("logistic", "logistic", "l2"),
        Glm("logistic_free", "logistic", "l2", True),
        Glm("logistic_l1", "logistic", "l1"),
        Glm("huber", "huber", "l2", True),
        Glm("huber_l1", "huber", "l1"),
        Glm("squared_hinge", "hinge", "l2"),
        Glm("poisson", "poisson", "l2", True),
        Glm("softmax", "softmax", "l2"),
        Glm("softmax_free", "softmax", "l2", True),
        Glm("one_sample", "squares", "l2", n=1, p=1),
        Glm("one_sample_l1", "logistic", "l1", n=1, p=1),
        SparseGlm("sparse_lasso", "squares", "l1", True),
        SparseGlm("sparse_ridge", "squares", "l2"),
        SparseGlm("sparse_logistic", "logistic", "l2", True),
        SparseGlm("sparse_poisson", "poisson", "l2", True),
        SparseGlm("sparse_softmax", "softmax", "l2", True),
        SparseGlm("sparse_box", "squares", "box"),
        GlmDistance("ridge_distance", "squares", "l2"),
        GlmDistance("logistic_distance", "logistic", "l2"),
        GlmDistance("hinge_distance", "hinge", "l2"),
    ]
