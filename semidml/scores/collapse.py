"""How far latents spread, and whether they have collapsed."""

import numpy as np

from semidml.scores import checks

COINCIDE, LINE, NARROW = 0.1, 1.1, 0.3  # see `collapse`; two opposite places, nine of ten points at one: .36
MOST_PAIRED = 2_000  # rows whose distances from one another are computed
ROUNDING = 1e-9  # relative, of a mean of distances


def mean_pairwise_distance(latents: np.ndarray, rows: int = MOST_PAIRED, seed: int = 0) -> float:
    """Mean Euclidean distance over all pairs of at most `rows` rows drawn by the seed, (N, D) -> units of the latent
    space."""
    from scipy.spatial.distance import pdist

    (points,) = checks.subset(rows, seed, checks.finite(latents))
    if len(points) < 2:
        raise ValueError(f"a distance needs at least 2 rows, got {len(points)}")
    return float(pdist(points).mean())


def spread(latents: np.ndarray) -> float:
    """Root of the variance's mean over dimensions, (N, D) -> units of the latent space."""
    return float(np.sqrt(checks.require_rows(checks.finite(latents)).var(axis=0, dtype=np.float64).mean()))


def effective_rank(latents: np.ndarray) -> float:
    """exp(-sum_d p_d ln p_d), p = singular values of the centred latents over their sum, (N, D) -> 1 to D.

    Roy and Vetterli, EUSIPCO 2007. 1 for points on a line, D for a ball.

    Raises: ValueError when all points coincide."""
    points = checks.require_rows(checks.finite(latents)).astype(np.float64)
    points -= points.mean(0)
    largest = np.abs(points).max()
    if not largest:
        raise ValueError("all points coincide: they spread in no direction")
    points /= largest  # so that squares of tiny latents do not vanish
    values = np.sqrt(np.linalg.eigvalsh(points.T @ points).clip(0))  # (D,) singular values
    p = values / values.sum()
    p = p[p > 0]
    return float(np.exp(-(p * np.log(p)).sum()))


def directions(latents: np.ndarray) -> np.ndarray:
    """Latents scaled to length 1, those of length 0 as they are: (N, D) -> (N, D)."""
    lengths = np.linalg.norm(latents.astype(np.float64), axis=1, keepdims=True)  # (N, 1); no square underflows
    return (latents / np.where(lengths > 0, lengths, 1)).astype(latents.dtype)


def collapse(latents: np.ndarray, scale: float = 1.0, seed: int = 0, directions_of: int | None = None) -> str | None:
    """A sentence for the visitor when the latents (N, D) have collapsed, else None.

    Collapsed is: the mean distance of two points is below a tenth of `scale`, the distance that the loss asks for
    between classes (the margin of a triplet loss; 1 where there is none); or, for D > 1, the effective rank is below
    1.1, which in two dimensions is a cloud 50 times as long as wide. An untrained network may count as collapsed: ask
    from the first epoch's end on.

    directions_of: the number of classes, where the latents are `directions`; 0 where it is not known. On the sphere
    points that lie on a line, and not within a narrow arc, lie at two opposite places: as good as can be for two
    classes, a collapse for more."""
    if coinciding := coincide(latents, scale, seed):
        return coinciding
    if latents.shape[1] > 1 and directions_of != 2 and effective_rank(latents) < LINE:
        if directions_of is not None:
            apart = mean_pairwise_distance(latents, seed=seed) > NARROW
            many = f", although there are {directions_of} classes" if directions_of else ""
            return f"All points lie in one direction or its opposite{many}." if apart else None
        return f"All points lie nearly on a line, although the space has {latents.shape[1]} dimensions."
    return None


def coincide(latents: np.ndarray, scale: float = 1.0, seed: int = 0) -> str | None:
    """The first half of `collapse`: a sentence when latents (N, D) nearly coincide or are not finite, else None.

    The mean distance of two points is at least the mean distance of one from their middle (Jensen's inequality), which
    settles nearly all cases in a hundredth of the time."""
    try:
        (points,) = checks.subset(MOST_PAIRED, seed, checks.finite(latents))
        from_middle = points - points.mean(0, dtype=np.float64) if len(points) else np.zeros((1, 1))
        if np.linalg.norm(from_middle, axis=1).mean() > (1 + ROUNDING) * COINCIDE * scale:
            return None
        distance = mean_pairwise_distance(latents, seed=seed)
    except ValueError as error:
        return f"The latent space cannot be read: {error}."
    if distance < COINCIDE * scale:
        return f"All points nearly coincide: two are {distance:.2g} apart on average, on a scale of {scale:g}."
    return None
