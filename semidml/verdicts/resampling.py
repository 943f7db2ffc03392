"""What n paired differences say, for many settings at once: sign-flip tests, bootstrap intervals, Holm's correction.

S settings, n differences each. Nothing is drawn by chance anew: the same differences give the same numbers.
"""

from functools import lru_cache

import numpy as np

RESAMPLES = 9_999
TIE = 1e-7  # sums that differ by less, relative to the largest there can be, count as equal
EXACT_UP_TO = 32  # seeds; sums of half of them are listed, 2^16
DRAWS = 99_999
CHUNK = 2**22  # numbers that are worked on at once, 34 MB


def flip_p(differences: np.ndarray) -> np.ndarray:
    """(S, n) -> (S,): the two-sided p of a sign-flip test of no difference.

    Were A and B the same, each difference would be as likely with the other sign: p is the share of the 2^n choices of
    signs whose sum is at least as far from 0 as the one that was seen (Fisher 1935, The Design of Experiments, section
    21; Pitman 1937, doi 10.2307/2984124). It is exact: without a difference p <= q has a chance of at most q.
    Differences of zero have no sign to flip and decide nothing; equal sums count as at least as far. With n seeds it is
    at least 2^(1 - n).

    All signs of the first half are met with all of the second by sorting, so that n = 20 takes 2 x 1,024 sums and not a
    million. Past EXACT_UP_TO seeds so many as DRAWS are drawn by a fixed generator, and the one that was seen counts as
    one more, with which the test stays valid (Phipson and Smyth 2010, doi 10.2202/1544-6115.1585)."""
    differences = np.asarray(differences, dtype=float)
    n = differences.shape[1]
    reached = np.abs(differences.sum(axis=1)) - TIE * np.abs(differences).sum(axis=1)
    if n > EXACT_UP_TO:
        return _drawn_p(differences, reached)
    first, second = _signs(n // 2), _signs(n - n // 2)
    p = np.empty(len(differences))
    step = max(1, CHUNK // len(second))
    for start in range(0, len(differences), step):
        rows = slice(start, start + step)
        left = differences[rows, : n // 2] @ first.T
        right = np.sort(differences[rows, n // 2 :] @ second.T, axis=1)
        for number, (some, others, least) in enumerate(zip(left, right, reached[rows], strict=True), start):
            # the sums lie evenly about 0, so those above are half of those that count
            above = len(some) * len(others) - int(np.searchsorted(others, least - some).sum())
            p[number] = 2 * above / 2**n if least > 0 else 1.0
    return np.minimum(p, 1.0)


def _drawn_p(differences: np.ndarray, reached: np.ndarray) -> np.ndarray:
    """(S, n), (S,) -> (S,): `flip_p` by drawn signs; reached: what a sum must be from 0 to count."""
    rng, (count, n) = np.random.default_rng(0), differences.shape
    above, step = np.ones(count), max(1, CHUNK // max(count, n))
    for start in range(0, DRAWS, step):
        signs = rng.choice([-1.0, 1.0], size=(n, min(step, DRAWS - start)))
        above += (np.abs(differences @ signs) >= reached[:, None]).sum(axis=1)
    return above / (DRAWS + 1)


@lru_cache
def _signs(n: int) -> np.ndarray:
    """(2^n, n): each choice of signs."""
    return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)


def bca_interval(differences: np.ndarray, level: float, resamples: int = RESAMPLES) -> tuple[np.ndarray, np.ndarray]:
    """(S, n) -> (S,), (S,): ends of the bias-corrected and accelerated bootstrap interval of the mean, which leaves out
    a share `level`, half of it on each side.

    With z_q the normal quantile, the ends are the quantiles q' of the means of so many resamples,

        q' = Phi(z_0 + (z_0 + z_q) / (1 - a (z_0 + z_q))),   q = level / 2, 1 - level / 2,

    z_0 = Phi^-1 of the share of these means that is below the mean, a = sum_i u_i^3 / (6 (sum_i u_i^2)^1.5), u_i the
    mean less that without the i-th difference (Efron 1987, doi 10.1080/01621459.1987.10478410). Each n has its own
    resamples, the same for all settings. Where all differences are equal both ends are that difference."""
    from scipy.special import ndtr, ndtri

    differences = np.asarray(differences, dtype=float)
    n = differences.shape[1]
    means = differences.mean(axis=1)
    spread = np.ptp(differences, axis=1)
    low, high = means.copy(), means.copy()
    varied = np.flatnonzero(spread > TIE * np.abs(differences).max(axis=1, initial=0))
    quantiles = ndtri(np.array([level / 2, 1 - level / 2]))
    weights = _weights(n, resamples)
    step = max(1, CHUNK // resamples)
    for start in range(0, len(varied), step):
        rows = varied[start : start + step]
        resampled = np.sort(differences[rows] @ weights, axis=1)
        tie = TIE * spread[rows, None]
        below = (resampled < means[rows, None] - tie).mean(axis=1) + (resampled <= means[rows, None] + tie).mean(axis=1)
        bias = ndtri(below / 2)[:, None]
        apart = (differences[rows] - means[rows, None]) / (n - 1)
        acceleration = ((apart**3).sum(axis=1) / (6 * (apart**2).sum(axis=1) ** 1.5))[:, None]
        shares = ndtr(bias + (bias + quantiles) / (1 - acceleration * (bias + quantiles)))
        low[rows], high[rows] = _quantiles(resampled, shares).T
    return low, high


@lru_cache(maxsize=8)
def _weights(n: int, resamples: int) -> np.ndarray:
    """(n, R): the weights of n differences in each resample's mean."""
    return np.random.default_rng(n).multinomial(n, np.full(n, 1 / n), size=resamples).T / n


def _quantiles(ordered: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """(S, R) in order, (S, Q) -> (S, Q): quantiles, with straight lines between values, as numpy's default has them."""
    places = shares * (ordered.shape[1] - 1)
    before = np.floor(places).astype(int)
    after = np.minimum(before + 1, ordered.shape[1] - 1)
    lower, upper = np.take_along_axis(ordered, before, axis=1), np.take_along_axis(ordered, after, axis=1)
    return lower + (upper - lower) * (places - before)


def holm(p: np.ndarray, settings: int = 0) -> np.ndarray:
    """(..., S) -> (..., S): p adjusted for S settings along the last axis, or for `settings` where these are more.

    Those with an adjusted p of at most q can all be called different, and the chance that any of them is not is at most
    q: the i-th smallest is multiplied by S + 1 - i, and none is smaller than the one before (Holm 1979, Scandinavian
    Journal of Statistics 6, 65)."""
    p = np.asarray(p, dtype=float)
    count = max(p.shape[-1], settings)
    order = np.argsort(p, axis=-1, kind="stable")
    adjusted = np.take_along_axis(p, order, axis=-1) * (count - np.arange(p.shape[-1]))
    adjusted = np.minimum(np.maximum.accumulate(adjusted, axis=-1), 1.0)
    result = np.empty_like(p)
    np.put_along_axis(result, order, adjusted, axis=-1)
    return result
