"""The nearest rows, exactly: by a tree where dimensions are few, else by distances."""

import numpy as np

from semidml.scores import checks

PILES_SEED = 0  # of the draw among rows that coincide
# A tree beats the search of all rows on a CPU up to 6 dimensions, and up to 10 for small tasks, where it also does not
# wait for busy cores as torch's threads do. 60,000 x 10,000 rows, 5 neighbours, two cores, scipy 1.17, torch 2.15,
# November 2026: 0.05 s against 0.6 at D = 2; 0.1 against 0.6 at D = 6; 0.4 (ten clusters) to 5.5 (one Gaussian) against
# 0.6 at D = 10.
TREE_DIMENSIONS, SMALL_TREE_DIMENSIONS, SMALL = 6, 10, 20_000_000
EXTRA = 8  # candidates beyond k whose distances are computed again without the rounding of the expanded square


def knn(gallery: np.ndarray, queries: np.ndarray, k: int, device: str = "cpu") -> tuple[np.ndarray, np.ndarray]:
    """The k nearest gallery rows of each query, nearest first, exact: (N, D), (M, D) -> rows (M, k) int64, distances
    (M, k).

    Euclidean. k is lowered to N. In few dimensions by a tree on the CPU, else by search of all rows on the device.
    Places are searched, not rows: of rows that coincide exactly (a collapsed space) each query is given some at random,
    with a fixed seed, so that the order of the rows decides nothing and many cost no more than one."""
    gallery, queries = checks.require_rows(checks.finite(gallery)), checks.finite(queries)
    k = min(k, len(gallery))
    piles = coincident(gallery)
    if piles is None:
        return nearest(gallery, queries, k, device)
    places, of = piles
    return _drawn_from(of, *nearest(places, queries, min(k, len(places)), device), k)


def coincident(points: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    """The places where rows lie, in an order of their own, and which is whose: (N, D) -> (P, D), (N,); None where no
    two rows coincide."""
    _, where, counts = np.unique(points[:, 0], return_inverse=True, return_counts=True)
    suspects = np.flatnonzero(counts[where] > 1)
    if not len(suspects) or len(np.unique(_as_keys(points[suspects]))) == len(suspects):
        return None
    _, first, of = np.unique(_as_keys(points), return_index=True, return_inverse=True)
    return points[first], of


def _as_keys(points: np.ndarray) -> np.ndarray:
    """One value a row that can be compared, (N, D) -> (N,): its bytes, those of -0 as those of 0."""
    rows = np.ascontiguousarray(points + points.dtype.type(0))
    return rows.view(np.dtype((np.void, rows.dtype.itemsize * rows.shape[1]))).ravel()


def _drawn_from(of: np.ndarray, near: np.ndarray, distances: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """k rows of the nearest places of each query, in their order, those of a place drawn anew for each query: the place
    of each row (N,), places (M, p) and distances (M, p) -> rows (M, k), distances (M, k)."""
    rng, rows, sizes = np.random.default_rng(PILES_SEED), np.argsort(of, kind="stable"), np.bincount(of)
    begins = sizes.cumsum() - sizes  # of each place in `rows`
    ends = sizes[near].cumsum(1)  # (M, p) rows up to each place
    which = (ends[:, :, None] <= np.arange(k)).sum(1)  # (M, k) whose row it will be
    places = np.take_along_axis(near, which, 1)
    before = np.arange(k) - np.take_along_axis(ends, which, 1) + sizes[places]  # rows drawn from there already
    drawn = (rng.random(places.shape) * (sizes[places] - before)).astype(np.int64)  # among those not yet drawn
    for j in range(1, k):
        earlier = np.where(places[:, :j] == places[:, [j]], drawn[:, :j], len(of))
        for taken in np.sort(earlier, axis=1).T:
            drawn[:, j] += taken <= drawn[:, j]
    return rows[begins[places] + drawn], np.take_along_axis(distances, which, 1)


def nearest(places: np.ndarray, queries: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """As `knn`, of rows that do not coincide."""
    if takes_tree(places, queries, device):
        return _by_tree(places, queries, k)
    return _by_search(places, queries, k, device)


def takes_tree(gallery: np.ndarray, queries: np.ndarray, device: str) -> bool:
    small = len(gallery) * len(queries) <= SMALL
    return device == "cpu" and gallery.shape[1] <= (SMALL_TREE_DIMENSIONS if small else TREE_DIMENSIONS)


def _by_tree(gallery: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that coincide cost much: a leaf cannot split them, and 60,000 of them take 0.4 s per 1,000 queries."""
    from scipy.spatial import cKDTree

    distances, rows = cKDTree(gallery).query(queries, k=range(1, k + 1), workers=-1 if len(queries) > 5_000 else 1)
    return rows.astype(np.int64), distances


def _by_search(gallery: np.ndarray, queries: np.ndarray, k: int, device: str) -> tuple[np.ndarray, np.ndarray]:
    """All distances, 500 queries at a time, never (M, N) at once. |x|^2 - 2 x q orders the rows (the query's own square
    is the same for all); the k smallest of a row lie in the k blocks of 128 with the smallest minima, which is 4 times
    faster than top-k over 60,000 (two cores, November 2026). The order of the best k + 8 is then settled by plain
    differences, free of cancellation."""
    import torch

    centre = gallery.mean(0, dtype=np.float64)
    place = {"device": device, "dtype": torch.float32}
    x, q = (torch.as_tensor(points - centre, **place) for points in (gallery, queries))
    near_enough, width = min(k + EXTRA, len(x)), 128
    padding = -len(x) % width
    squares = torch.nn.functional.pad(x.square().sum(1), (0, padding), value=torch.inf)  # (N',)
    columns = torch.nn.functional.pad(x, (0, 0, 0, padding)).T.contiguous()  # (D, N')
    blocks = columns.shape[1] // width
    rows, distances = [], []
    for part in q.split(500):
        values = torch.addmm(squares, part, columns, alpha=-2).view(len(part), blocks, width)
        block = values.amin(2).topk(min(near_enough, blocks), largest=False, sorted=False).indices
        inside = values.gather(1, block[:, :, None].expand(-1, -1, width)).flatten(1)
        best = inside.topk(near_enough, largest=False).indices
        best = block.gather(1, best // width) * width + best % width  # (500, k + 8) rows of the gallery
        exact, order = (x[best] - part[:, None]).square().sum(2).sqrt().topk(k, largest=False)
        rows.append(best.gather(1, order).cpu())
        distances.append(exact.cpu())
    if not rows:
        return np.zeros((0, k), np.int64), np.zeros((0, k))
    return torch.cat(rows).numpy(), torch.cat(distances).double().numpy()


def not_itself(near: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """All but one of each query's nearest rows (B, k), the query itself or, where it is missing among many at the same
    place, the last one, which is then one too many: bool (B, k)."""
    itself = near == queries[:, None]
    itself[~itself.any(1), -1] = True
    return ~itself


def others(latents: np.ndarray, k: int, device: str = "cpu", of: np.ndarray | None = None) -> np.ndarray:
    """The k nearest other rows of each row, or of the rows `of` (R,), nearest first, fewer where there are not as many:
    (M, D) -> (M, k) or (R, k) int64."""
    queries, own = (latents, np.arange(len(latents))) if of is None else (latents[of], of)
    rows, _ = knn(latents, queries, k + 1, device)
    return rows[not_itself(rows, own)].reshape(len(rows), rows.shape[1] - 1)
