"""D dimensions to the two that a screen has."""

import math
import os
import warnings

import numpy as np

from semidml.registry import Entry, choose, table
from semidml.scores.checks import finite
from semidml.tasks import Progress

FEWEST_ROWS = 5
# How far from their middle the farthest rows may be, along one dimension, so that squares and sums of squares stay
# clear of both ends of float32; and how many times as far the middle may be from the origin, where a step of float32 is
# 2^-13 of it then.
SANE_REACH, FAR_OFF = (2.0**-20, 2.0**20), 2.0**10
ROUNDING = 2.0**-21  # four steps of float32: equal images can come out of a network so far apart

PROJECTIONS = table(
    [
        Entry(
            *("pca", "PCA", "the two directions of largest variance after the last epoch shown; at once"),
            "Pearson 1901, doi 10.1080/14786440109462720",
        ),
        Entry(
            *("umap", "UMAP"),
            "keeps neighbours together; distances between groups mean little; loads for about 13 s on its first use",
            "McInnes et al. 2018, arXiv 1802.03426",
        ),
        Entry(
            *("tsne", "t-SNE"),
            "keeps neighbours together; sizes and distances of groups mean nothing; about half a minute",
            "van der Maaten and Hinton 2008, JMLR 9",
        ),
    ]
)


def project(
    latents: np.ndarray, method: str, seed: int = 0, axes_of: np.ndarray | None = None, progress: Progress | None = None
) -> np.ndarray:
    """Latents drawn in the plane by a method of PROJECTIONS: (n, D) -> (n, 2) float32, all finite, the same for the
    same seed. With `axes_of` (m, D), PCA takes the directions of those points, of which there may be few.

    UMAP and t-SNE are native code that can end the process; the app asks a worker for them (`queue.Jobs.plane`).

    Raises: ValueError in words for what `to_project` refuses, and where a method finds places that are not finite."""
    report = progress or (lambda fraction, text: None)
    if method == "pca" and axes_of is not None:
        middle, axes = principal_axes(wide(finite(axes_of)))
        return finite_places((wide(finite(latents)) - middle) @ axes)
    points = to_project(latents, method)
    report(0.0, f"loading {method}")
    if method == "pca":
        middle, axes = principal_axes(points)
        placed = (points - middle) @ axes
    elif method == "umap":
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Tensorflow not installed", ImportWarning)  # for a part that is not used
            from umap import UMAP

        report(0.2, "umap: laying out")
        near = min(15, len(points) - 1)  # its default, lowered for few rows
        placed = UMAP(n_components=2, n_neighbors=near, init="pca", random_state=seed, n_jobs=1).fit_transform(points)
    else:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits

        report(0.2, "t-SNE: laying out")
        perplexity = min(30.0, (len(points) - 1) / 3)  # its default, lowered for few rows
        with threadpool_limits(max(1, (os.cpu_count() or 1) - 1)):  # a training may need the other core: see `kmeans`
            placed = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
    report(1.0, method)
    return finite_places(placed)


def to_project(latents: np.ndarray, method: str) -> np.ndarray:
    """Latents (n, D) as a method of `project` takes them, float32 (n, max(D, 2)): the same numbers, unless they lie
    too close together or too far apart for its squares, or too far from the origin for its rounding. Then they are
    centred and divided by a power of two, which t-SNE and UMAP do not mind, so that the farthest is at most 1 away.

    Raises ValueError in words, in no time, for what cannot be projected: fewer than 5 rows, numbers that are not finite
    or not within float32, and for UMAP and t-SNE rows that are all equal but for float32's rounding. Of such
    scikit-learn's t-SNE, which divides its start by a standard deviation of 0, ends the process; UMAP gives NaN."""
    choose(PROJECTIONS, method, "projection")
    if len(latents) < FEWEST_ROWS:
        raise ValueError(f"a projection needs at least {FEWEST_ROWS} rows, got {len(latents)}")
    with np.errstate(over="ignore"):  # said in words
        points = wide(finite(latents).astype(np.float32))
    if not np.isfinite(points).all():
        raise ValueError(
            f"latents as large as {np.abs(latents).max():.2g} cannot be projected: float32 does not hold them"
        )
    if method == "pca":
        return points
    low, high = points.min(0).astype(np.float64), points.max(0).astype(np.float64)
    middle, reach = (low + high) / 2, (high - low) / 2  # (D,)
    if (reach <= ROUNDING * np.abs(middle)).all():
        raise ValueError(
            f"all {len(points):,} rows are equal, as far as float32 can tell, so that none has nearer neighbours than "
            "others, and UMAP and t-SNE have nothing to lay out: look at another epoch, or train with settings that do "
            "not collapse"
        )
    farthest = float(reach.max())
    if SANE_REACH[0] <= farthest <= SANE_REACH[1] and np.abs(middle).max() <= FAR_OFF * farthest:
        return points
    return np.ldexp(points - middle, -math.ceil(math.log2(farthest))).astype(np.float32)


def finite_places(places: np.ndarray) -> np.ndarray:
    """Places in the plane (n, 2) as float32; raises ValueError when one of them is not finite then."""
    with np.errstate(over="ignore"):  # said in words
        placed = np.asarray(places).astype(np.float32)
    if bad := int((~np.isfinite(placed)).any(1).sum()):
        raise ValueError(
            f"the projection found no finite place for {bad:,} of {len(placed):,} rows: choose another one, or another "
            "epoch"
        )
    return placed


def wide(points: np.ndarray) -> np.ndarray:
    """The same rows (n, D) with at least two columns, the added ones 0, as principal components of a plane need."""
    return np.pad(points, ((0, 0), (0, max(0, 2 - points.shape[1]))))


def principal_axes(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(mean (D,), the two directions of the largest variance (D, 2), each turned so that its largest weight is
    positive) of points (n, D) of at least two dimensions."""
    points = points.astype(np.float64)
    middle = points.mean(0)
    _, vectors = np.linalg.eigh((points - middle).T @ (points - middle))
    axes = vectors[:, :-3:-1]  # the largest first
    return middle, axes * np.sign(axes[np.abs(axes).argmax(0), [0, 1]])


def in_plane(latents: np.ndarray, labels: np.ndarray, axes_of: np.ndarray | None = None) -> tuple[np.ndarray, str]:
    """(latents (n, D) as a map draws them at once, (n, 2); how they came there, in words). Two dimensions as they are;
    one along a strip for each class, with a fixed scatter across; more by PCA, on the axes of the latents `axes_of`
    (m, D), so that the epochs of a run share them."""
    dimensions = latents.shape[1]
    if dimensions == 2:
        return latents, ""
    if dimensions == 1:
        across = np.random.default_rng(0).uniform(-0.35, 0.35, len(latents))
        return np.stack([latents[:, 0], across - labels], axis=1), "one dimension, from left to right; a strip a class"
    axes_of = latents if axes_of is None else axes_of
    return project(latents, "pca", axes_of=axes_of), f"{dimensions} dimensions, brought to two by PCA"


def apart_in_plane(latents: np.ndarray, labels: np.ndarray, axes_of: np.ndarray | None = None) -> np.ndarray:
    """Latents (n, D) as a small map draws them, (n, 2): as `in_plane`, but more than two dimensions on the plane in
    which the classes of `axes_of` (m, D), whose labels are these too, come apart; see `parting_axes`. Ten clusters that
    are all equally far from one another are ten there, where PCA shows two and a heap. Labels of -1 have no say."""
    axes_of = latents if axes_of is None else axes_of
    classes = np.unique(labels[labels >= 0])
    if latents.shape[1] <= 2 or len(classes) < 3:
        return in_plane(latents, labels, axes_of)[0]
    means = np.stack([finite(axes_of)[labels == label].mean(0, dtype=np.float64) for label in classes])  # (K, D)
    return finite_places((latents - means.mean(0)) @ parting_axes(means))


def parting_axes(means: np.ndarray, starts: int = 8, steps: int = 200) -> np.ndarray:
    """Two orthonormal directions (D, 2) that part the middles of classes (K, D): they make the sum of 1 / d^2 over
    pairs as small as steps downhill from these starts find it, where d is a pair's distance in the plane.

    Projection pursuit (Friedman and Tukey 1974, doi 10.1109/T-C.1974.224051) with an index of our own. The first start
    is PCA's; the same means give the same directions. 30 ms for 10 classes in 16 dimensions (two busy cores)."""
    first, second = np.triu_indices(len(means), 1)
    ways = means[first] - means[second]  # (P, D)
    whole = float((ways**2).sum(1).mean()) or 1.0
    ways = ways / math.sqrt(whole)
    turned = np.random.default_rng(0).normal(size=(starts - 1, means.shape[1], 2))
    axes, _ = np.linalg.qr(np.concatenate([principal_axes(means)[1][None], turned]))  # (S, D, 2)
    for step in range(steps):
        shown = ways @ axes  # (S, P, 2)
        closeness = 1 / ((shown**2).sum(2, keepdims=True) + 1e-4)
        uphill = -2 * ways.T @ (closeness**2 * shown)  # (S, D, 2), of the sum of closeness
        uphill -= axes @ (axes.swapaxes(1, 2) @ uphill)
        length = np.linalg.norm(uphill, axis=(1, 2), keepdims=True)
        axes, _ = np.linalg.qr(axes - 0.3 * (1 - step / steps) * uphill / np.maximum(length, 1e-12))
    closeness = (1 / (((ways @ axes) ** 2).sum(2) + 1e-4)).sum(1)
    return axes[closeness.argmin()]


def aligned(points: np.ndarray, onto: np.ndarray) -> tuple[np.ndarray, float]:
    """(points (n, 2) moved, turned, mirrored and scaled so that they lie on `onto` (n, 2) as well as they can; the
    share of its variance that they still miss, 0 to 1). Procrustes (Gower 1975, doi 10.1007/BF02291478)."""
    from scipy.linalg import orthogonal_procrustes

    middle, target = onto.mean(axis=0), onto.astype(np.float64) - onto.mean(axis=0)
    centred = points.astype(np.float64) - points.mean(axis=0)
    size, whole = np.linalg.norm(centred), np.linalg.norm(target)
    if not size or not whole:
        return (centred + middle).astype(np.float32), 1.0
    turn, overlap = orthogonal_procrustes(centred / size, target / whole)
    moved = centred / size @ turn * overlap * whole
    return (moved + middle).astype(np.float32), float(np.linalg.norm(moved - target) ** 2 / whole**2)


def variance_kept(latents: np.ndarray, points: np.ndarray) -> float:
    """Share of the latents' variance that their PCA's `points` (n, 2) hold, 0 to 1; 0 where there is no variance."""
    whole = float(latents.astype(np.float64).var(axis=0).sum())
    return float(points.astype(np.float64).var(axis=0).sum()) / whole if whole > 0 else 0.0
