"""Rows for `xformad.scipy.special`: SciPy's ufuncs as they are, and the functions that SciPy does not hand over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import scipy.special as sc

from tests.operations.case import Case, Refused
from xformad import UnsupportedError
from xformad.scipy import special

X = np.array([-0.7, 0.4, 1.3])
P = np.array([0.6, 1.7, 3.1])
Q = np.array([2.2, 0.8, 1.9])
U = np.array([0.15, 0.4, 0.8])
A = np.array([[0.3, -1.2, 0.7], [1.9, -0.4, 2.6]])
B = np.array([[0.8, 0.3, 1.1], [0.6, 1.3, 0.4]])

EVERYWHERE = "erf erfc erfcx erfi dawsn wofz ndtr loggamma rgamma gamma psi spence exp1 expi expm1 log1p wrightomega"
"""Functions of real and of complex numbers."""

REAL: dict[str, Any] = {
    "erfinv": U, "erfcinv": U, "log_ndtr": X, "ndtri": U, "ndtri_exp": -P, "expit": X, "log_expit": X, "logit": U,
    "exprel": X, "exp2": X, "exp10": X, "cbrt": P, "cosm1": X, "sindg": X, "cosdg": X, "tandg": X, "cotdg": P,
    "gammaln": P, "digamma": P, "entr": P, "zetac": P + 1.0, "j0": X, "j1": X, "y0": P, "y1": P, "i0": X, "i1": X,
    "k0": P, "k1": P, "i0e": X, "i1e": X, "k0e": P, "k1e": P, "ellipk": U, "ellipe": U, "ellipkm1": U,
}  # fmt: skip
PAIRS: dict[str, tuple[Any, Any]] = {
    "beta": (P, Q), "betaln": (P, Q), "poch": (P, Q), "binom": (P + 1.0, U), "boxcox": (P, X), "boxcox1p": (P, X),
    "inv_boxcox": (P, U), "inv_boxcox1p": (P, U), "powm1": (P, X), "huber": (Q, X), "pseudo_huber": (P, X),
    "xlogy": (X, P), "xlog1py": (X, P), "rel_entr": (P, Q), "kl_div": (P, Q), "owens_t": (X, P), "elliprc": (P, Q),
    "ellipkinc": (X, U), "ellipeinc": (3.0 * X, U),
}  # fmt: skip
ORDERED: dict[str, tuple[Any, ...]] = {
    "jv": (1.5, P), "yv": (1.5, P), "iv": (1.5, P), "kv": (1.5, P), "jve": (1.5, P), "yve": (1.5, P), "ive": (1.5, P),
    "kve": (1.5, P), "jn": (2, X), "yn": (2, P), "kn": (2, P), "expn": (3, P), "hyp0f1": (0.7, X),
    "hyp1f1": (0.7, 1.6, X), "hyp2f1": (0.7, 0.4, 1.6, U), "hyperu": (0.7, 1.6, P), "pdtr": (2, P), "pdtrc": (2, P),
    "pdtri": (2, U), "nbdtr": (2, 5, U), "nbdtrc": (2, 5, U),
    "nbdtri": (2, 5, U), "struve": (1.5, P), "modstruve": (1.5, P), "eval_legendre": (3, X), "eval_chebyt": (3, X),
    "eval_chebyu": (3, X), "eval_hermite": (2, X), "eval_hermitenorm": (2, X), "eval_laguerre": (2, X),
    "eval_genlaguerre": (2, 0.5, X), "eval_gegenbauer": (3, 0.5, X), "eval_jacobi": (3, 0.5, 0.2, X),
}  # fmt: skip
COMPLEX_ORDERED = "jv yv iv kv kve hankel1 hankel2 hankel1e hankel2e hyp0f1 hyp1f1 hyp2f1"
TRIPLES: dict[str, tuple[Any, ...]] = {
    "gammainc": (P, Q), "gammaincc": (P, Q), "gammaincinv": (P, U), "gammainccinv": (P, U), "betainc": (P, Q, U),
    "betaincc": (P, Q, U), "chdtr": (P, Q), "chdtrc": (P, Q),
    "chdtri": (P, U), "gdtr": (P, Q, U), "gdtrc": (P, Q, U), "gdtrix": (P, Q, U), "fdtr": (P, Q, U), "fdtrc": (P, Q, U),
    "stdtr": (Q, X), "stdtrit": (Q + 2.0, U),
}  # fmt: skip
PARTS: dict[str, tuple[Any, ...]] = {"airy": (X,), "fresnel": (X,), "sici": (P,), "shichi": (P,), "ellipj": (X, U)}


def last(function: Callable[..., Any], *fixed: Any) -> Callable[[Any], Any]:
    """The function of its last argument."""
    return lambda x: function(*fixed, x)


def row(name: str, *args: Any, **options: Any) -> Case:
    return Case(f"special {name}", getattr(sc, name), args, **options)


CASES = [
    *(row(name, P / 2, complex=True, single=name != "wofz") for name in EVERYWHERE.split()),
    *(row(name, x) for name, x in REAL.items()),
    *(row(name, *args) for name, args in PAIRS.items()),
    *(
        Case(f"special {name}", last(getattr(sc, name), *args[:-1]), args[-1:], complex=name in COMPLEX_ORDERED.split())
        for name, args in ORDERED.items()
    ),
    *(
        Case(f"special {name}", last(getattr(sc, name), 1.5), (P,), complex=True)
        for name in ("hankel1", "hankel2", "hankel1e", "hankel2e")
    ),
    *(row(name, *args) for name, args in {**TRIPLES, **PARTS}.items()),
    Case("special betaincinv", lambda a, y: sc.betaincinv(a, 1.5, y), (P, U)),
    Case("special betainccinv", lambda b, y: sc.betainccinv(1.5, b, y), (P, U)),
    Case("special fdtri", lambda n, p: sc.fdtri(2.5, n, p), (P, U)),
    *(
        Case(f"special {name}", lambda p, name=name: getattr(sc, name)(2, 5, p * np.float64(1.0)), (U,), single=False)
        for name in ("bdtr", "bdtrc", "bdtri")
    ),
    *(row(name, P) for name in ("ber", "bei", "ker", "kei")),
    *(
        Case(f"special spherical_{kind}n", last(getattr(special, f"spherical_{kind}n"), 2), (P,), single=False)
        for kind in "jyik"
    ),
    *(
        Case(f"special {kind}vp", lambda x, kind=kind: getattr(special, f"{kind}vp")(1.5, x, 2), (P,))
        for kind in ("j", "y", "i", "k", "h1", "h2")
    ),
    Case("special sph_harm_y", lambda x, y: special.sph_harm_y(3, -2, x, y), (P, X)),
    row("elliprf", P, Q, U),
    row("elliprd", P, Q, U),
    row("elliprj", P, Q, U, P[::-1]),
    row("radian", P, Q, U),
    row("voigt_profile", X, P, Q),
    Case("special gammasgn", lambda x: x * sc.gammasgn(x), (X,)),
    Case("special round", lambda x: x * sc.round(x), (X,)),
    Case("special polygamma", lambda x: special.polygamma(2, x), (P,)),
    Case("special multigammaln", lambda x: special.multigammaln(x, 3), (P + 1.0,)),
    Case("special zeta", lambda x: special.zeta(x + 1.0), (P,)),
    Case("special zeta of Hurwitz", lambda x, q: special.zeta(x + 1.0, q), (P, Q)),
    Case("special lambertw", special.lambertw, (P,), complex=True),
    Case("special lambertw other branch", lambda z: np.real(special.lambertw(-z / 4, -1)), (U,)),
    Case("special comb", special.comb, (P + 2.0, U)),
    Case("special comb repetition", lambda n, k: special.comb(n, k, repetition=True), (P + 2.0, U)),
    Case("special perm", special.perm, (P + 2.0, U)),
    Case("special factorial", special.factorial, (P,)),
    Case("special logsumexp", special.logsumexp, (A,), complex=True),
    Case("special logsumexp axis", lambda a: special.logsumexp(a, 1, keepdims=True), (A,)),
    Case("special logsumexp b", lambda a, b: special.logsumexp(a, -1, b), (A, B), complex=True),
    Case("special logsumexp sign", lambda a, b: special.logsumexp(a, 0, b - 2.0, return_sign=True), (A, B[0])),
    Case("special softmax", special.softmax, (A,)),
    Case("special softmax axis", lambda a: special.softmax(a, 0), (A,)),
    Case("special log_softmax", special.log_softmax, (A,)),
    Case("special log_softmax axis", lambda a: special.log_softmax(a, (0, 1)), (A,)),
]

REFUSED = [
    Refused("special jv order", lambda v: sc.jv(v, 1.0), (1.5,), UnsupportedError, "argument 0, the order"),
    Refused("special kv order", lambda v: sc.kv(v, v), (1.5,), UnsupportedError, "argument 0, the order"),
    Refused(
        "special hyp2f1", lambda c: sc.hyp2f1(0.3, 0.4, c, 0.2), (1.5,), UnsupportedError, "argument 2, a parameter"
    ),
    Refused("special comb exact", lambda n: special.comb(n, 2, exact=True), (4.0,), UnsupportedError, "exact=False"),
    Refused("special zeta out", lambda x: special.zeta(x, out=np.ones(1)), (4.0,), UnsupportedError, "use its result"),
    Refused("special bernoulli", special.bernoulli, (4.0,), UnsupportedError, "it is made for whole numbers"),
    Refused("special bdtrik", lambda x: sc.bdtrik(x, 4.0, 0.5), (0.4,), UnsupportedError, "has no rule"),
]
