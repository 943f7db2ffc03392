"""Retrieval: Recall@K and MAP@R."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import numpy as np

from semidml.scores import checks, neighbours
from semidml.scores.table import RECALL_AT

if TYPE_CHECKING:
    import torch


DISTANCES_AT_ONCE = 2**22  # of `map_at_r`: 32 MB
TIED = 2.0**-46  # of squared distances computed in double precision, 64 steps: no farther apart they count as equal


def recall_at(
    latents: np.ndarray, labels: np.ndarray, ks: Iterable[int] = RECALL_AT, device: str = "cpu"
) -> tuple[float, ...]:
    """Share of rows with one of their class among their k nearest other rows, for each k: (M, D), (M,) -> 0 to 1.

    Gallery and queries are the same rows, the query itself left out; a row alone in its class counts as missed (Song et
    al. 2016, arXiv 1511.06452). With fewer than k others all of them are looked at. Of rows at the same distance any
    may come first: a query counts with its chance of a hit,

        1 - C(t - c, k - s) / C(t, k - s)

    s: rows nearer than any of its class; t: rows as far as the first of its class, c of them of its class. So a
    collapsed space has the recall of rows drawn at random, whatever their order."""
    if len(latents) < 2:
        raise ValueError(f"recall needs at least 2 rows, got {len(latents)}")
    ks, count = tuple(ks), len(latents)
    places, of = neighbours.coincident(checks.finite(latents)) or (latents, np.arange(count))
    classes, label = np.unique(labels, return_inverse=True)
    cells, rows = np.unique(of * len(classes) + label, return_counts=True)  # (Q,) a place and a class, and their rows
    place, own = np.divmod(cells, len(classes))
    sizes = np.bincount(of)  # (P,)

    def of_class(near: np.ndarray, query_classes: np.ndarray) -> np.ndarray:
        """How many rows of a class lie at each place: (B, m), (B,) -> (B, m)."""
        if len(places) == count:
            return own[near] == query_classes[:, None]
        wanted = near * len(classes) + query_classes[:, None]
        position = np.searchsorted(cells, wanted).clip(max=len(cells) - 1)
        return np.where(cells[position] == wanted, rows[position], 0)

    hits, pending = np.zeros(len(ks)), np.arange(len(cells))
    look_at = max(ks) + 1  # places; more where rows at one distance may go on beyond
    while len(pending):
        asked, at = np.unique(place[pending], return_inverse=True)
        near, tied, ends = (values[at] for values in _other_places(places, asked, look_at, device))
        around = np.c_[sizes[place[pending]] - 1, sizes[near]]  # (B, 1 + m) rows at one's own place, at the next, ...
        same = np.c_[rows[pending] - 1, of_class(near, own[pending])]  # those of them of the query's class
        tied, ends = (np.c_[np.zeros(len(at), bool), values] for values in (tied, ends))
        first = np.where(same.any(1), (same > 0).argmax(1), (around.cumsum(1) < max(ks)).sum(1))
        sure = ~np.take_along_axis(np.c_[ends, ends[:, -1:]], first[:, None], 1)[:, 0]
        chances = _chance_of_a_hit(around[sure], same[sure], tied[sure], ks)
        hits += rows[pending[sure]] @ chances
        pending, look_at = pending[~sure], 4 * look_at
    return tuple(float(share) for share in hits / count)


def _chance_of_a_hit(around: np.ndarray, same: np.ndarray, tied: np.ndarray, ks: tuple[int, ...]) -> np.ndarray:
    """See `recall_at`, for each query and k (B, len(ks)): how many rows lie at each place, in order of distance, how
    many of them are of the query's class, whether a place is as far as the one before it (B, m)."""
    if not tied.any() and not around[:, 0].any() and around.max(initial=0) <= 1:  # no two rows at one distance
        return np.stack([same[:, : k + 1].any(1) for k in ks], 1)
    group = (~tied).cumsum(1)
    first = np.take_along_axis(group, (same > 0).argmax(1)[:, None], 1)  # (B, 1) the group of the first hit, if any
    s = (around * (group < first)).sum(1)
    t, c = ((values * (group == first)).sum(1) for values in (around, same))
    drawn = np.arange(max(ks))  # so many of those tied are drawn before
    miss = ((t - c)[:, None] - drawn).clip(min=0) / (t[:, None] - drawn).clip(min=1)  # (B, max k) of the next one
    all_missed = np.c_[np.ones(len(t)), miss.cumprod(1)]
    return np.stack([1 - all_missed[np.arange(len(t)), (k - s).clip(0, np.minimum(t, k))] for k in ks], 1)


def _other_places(
    places: np.ndarray, asked: np.ndarray, k: int, device: str
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The k places nearest to each asked one (B,) of (P, D), fewer where there are not as many, in order of distance
    (B, m); whether a place is as far as the one before it (B, m); whether others that are not listed may be as far
    (B, m)."""
    near, distances = neighbours.nearest(places, places[asked], min(k + 1, len(places)), device)
    near, distances = (
        values[neighbours.not_itself(near, asked)].reshape(len(asked), -1) for values in (near, distances)
    )
    tied = np.zeros(near.shape, bool)
    if near.shape[1] == 0:
        return near, tied, tied
    same, rounding = _errors_of_distance(places, neighbours.takes_tree(places, places[asked], device))
    close = (np.diff(distances, axis=1) <= rounding).any(1)
    if close.any():  # in single precision equal distances may look different, and others equal
        ends = (places[rows].astype(np.float64) for rows in (near[close], asked[close, None]))
        exact = np.linalg.norm(np.subtract(*ends), axis=2)
        order = np.argsort(exact, axis=1, kind="stable")
        exact = np.take_along_axis(exact, order, 1)
        tied[close, 1:] = np.diff(exact, axis=1) <= same
        turned = tied[close].any(1)  # the others keep their order
        again = np.flatnonzero(close)[turned]
        near[again], distances[again] = np.take_along_axis(near[close], order, 1)[turned], exact[turned]
    return near, tied, (distances >= distances[:, -1:] - rounding) & (near.shape[1] < len(places) - 1)


def _errors_of_distance(places: np.ndarray, by_tree: bool) -> tuple[float, float]:
    """How far equal distances between places (P, D) may lie apart by rounding: when computed from the differences in
    double precision, and when found by `_nearest`, which searches in single precision unless it takes a tree."""
    largest = max(float(places.max()), -float(places.min())) * places.shape[1] ** 0.5  # none is farther from 0
    double = 8 * float(np.finfo(np.float64).eps) * largest
    if by_tree:
        return double, double
    centred = places - places.mean(0)
    farthest = float(np.einsum("pd,pd->p", centred, centred).max()) ** 0.5
    return double, double + 8 * float(np.finfo(np.float32).eps) * farthest


def map_at_r(
    latents: np.ndarray,
    labels: np.ndarray,
    device: str = "cpu",
    progress: Callable[[float], None] = lambda fraction: None,
) -> float:
    """Mean average precision at R, of all rows, each searched for among the others: (M, D), (M,) -> 0 to 1.

        mean over queries of 1/R sum_{i <= R} P(i) 1[the i-th neighbour is of the query's class]

    R: the other rows of the query's class. P(i): their share among the i nearest. Musgrave, Belongie and Lim 2020,
    arXiv 2003.08505, section 3.2. A query alone in its class has R = 0 and is left out, as by their
    pytorch-metric-learning (`recall_at` counts it as missed). Of rows at the same distance any may come first: the mean
    over all orders counts, see `_expected_average_precision`; theirs come as they fall.

    Exact in double precision (on the CPU where the device has none), some 2^22 distances at a time, never (M, M). R can
    be thousands: what is selected and sorted are the distances alone, the lowest bit of each saying whose class it is.
    `progress` is told the share that is done, and may raise to end it.

    Raises: ValueError when no class has two rows."""
    import torch

    checks.finite(latents)
    _, of, sizes = np.unique(labels, return_inverse=True, return_counts=True)
    others = sizes[of] - 1  # (M,) R of each row
    order = np.lexsort((of, others))  # rows of a class stand together, and queries of about the same R
    of, others = of[order], others[order]
    alone, n = int(np.searchsorted(others, 1)), len(order)
    if alone == n:
        raise ValueError("MAP@R needs a class with at least 2 rows")
    points = latents - latents.mean(0, dtype=np.float64)  # centred, so that |x|^2 - 2 x q + |q|^2 loses no digits
    x = torch.as_tensor(points[order], dtype=torch.float64, device="cpu" if device == "mps" else device)  # (M, D)
    r, square, ones = torch.as_tensor(others, device=x.device), x.square().sum(1, True), x.new_ones(n, 1)
    gallery, queries = torch.cat([x, square, ones], 1).T, torch.cat([-2 * x, ones, square], 1)  # one product, |x - q|^2
    edges = np.flatnonzero(np.diff(of, prepend=-1, append=-1))  # where each class begins, and the end
    total, step = 0.0, max(1, DISTANCES_AT_ONCE // n)
    for begin in range(alone, n, step):
        end = min(begin + step, n)
        progress((begin - alone) / (n - alone))
        keys = (queries[begin:end] @ gallery).view(torch.int64)  # (B, M): numbers from 0 on keep their order as bits
        keys.bitwise_and_(torch.iinfo(torch.int64).max - 1)  # no sign, which only rounding can have set, no lowest bit
        for i in range(np.searchsorted(edges, begin, "right") - 1, np.searchsorted(edges, end)):
            keys[max(edges[i] - begin, 0) : edges[i + 1] - begin, edges[i] : edges[i + 1]] |= 1  # of the same class
        keys[:, begin:end].fill_diagonal_(torch.iinfo(torch.int64).max)  # a row is not its own neighbour
        of_query, squares = r[begin:end, None], square[begin:end]
        ranked = _smallest(keys, int(others[end - 1]) + 1)  # (B, R + 1)
        same, position = ranked & 1, torch.arange(1, ranked.shape[1], device=x.device)
        hits = same[:, :-1] * (position <= of_query)  # (B, R)
        averages = (hits.cumsum(1) / position.double() * hits).sum(1) / of_query[:, 0]
        decides = (same[:, 1:] != same[:, :-1]) | (position == of_query)  # the order of a row and the next one, if tied
        unsure = (_ties(ranked, squares) & decides & (position <= of_query)).any(1).nonzero()[:, 0]
        for rows in unsure.split(max(1, step // 8)) if len(unsure) else ():
            every = _smallest(keys[rows], n)
            averages[rows] = _expected_average_precision(every, squares[rows], of_query[rows])
        total += float(averages.sum())
    return total / (n - alone)


def _ties(ranked: "torch.Tensor", squares: "torch.Tensor") -> "torch.Tensor":
    """Whether a row is as far from the query as the next one, but for rounding: squared distances in order, as
    `map_at_r` has them (B, m), the query's own square (B, 1) -> bool (B, m - 1)."""
    import torch

    distances = (ranked & ~1).view(torch.float64)
    nearer = distances[:, :-1]
    return distances[:, 1:] - nearer <= TIED * (4 * squares + nearer)


def _expected_average_precision(ranked: "torch.Tensor", squares: "torch.Tensor", r: "torch.Tensor") -> "torch.Tensor":
    """Average precision at R, its mean over all orders of rows at the same distance: all rows in order as `map_at_r`
    has them (B, M), the query's own square (B, 1), R (B, 1) -> (B,).

        1/R sum_{i <= R} c/t (h + 1 + (i - s - 1) (c - 1) / (t - 1)) / i

    s: rows nearer than the i-th, h of them of the query's class; t: rows as far as it, c of them of its class. The i-th
    is of its class with probability c/t; then so are, on average, (c - 1) / (t - 1) of those tied that came before."""
    import torch

    m, k = ranked.shape[1], int(r.max())
    same, place, new = ranked & 1, torch.arange(m, device=ranked.device), ~_ties(ranked, squares)
    begins, ends = (torch.nn.functional.pad(new, side, value=True) for side in ((1, 0), (0, 1)))
    s = torch.where(begins, place, 0)[:, :k].cummax(1).values
    end = torch.where(ends, place + 1, m).flip(1).cummin(1).values.flip(1)[:, :k]
    hits = same.cumsum(1)
    h = hits.gather(1, s) - same.gather(1, s)
    t, c, i = end - s, hits.gather(1, end - 1) - h, place[:k] + 1
    c = c.double()
    expected = c / t * (h + 1 + (i - s - 1) * (c - 1) / (t - 1).clamp(min=1)) / i
    return (expected * (i <= r)).sum(1) / r[:, 0]


def _smallest(keys: "torch.Tensor", k: int) -> "torch.Tensor":
    """The k smallest of each row in order: (B, M) -> (B, k). On a CPU by numpy, with k = 6,000 of 60,000 four times as
    fast as torch's top-k, which carries indices (two cores, November 2026)."""
    import torch

    if keys.device.type != "cpu":
        return keys.topk(k, largest=False).values
    return torch.from_numpy(np.sort(np.partition(keys.numpy(), k - 1, axis=1)[:, :k], axis=1))
