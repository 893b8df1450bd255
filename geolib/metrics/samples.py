"""How far two sets of samples are apart: distances between distributions, with the answer known on Gaussians.

All functions take sets `(n, ...)` and flatten each sample; a perfect generator reaches the value found between two
independent sets of real samples (the sampling floor), not zero.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import stats
from scipy.spatial.distance import cdist

from geolib import _checks
from geolib._arguments import checked

#: Widths of the kernel relative to the median distance: no single width sees both fine and coarse differences.
BANDWIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)


class RelativeTest(NamedTuple):
    """Outcome of `relative_mmd_test`."""

    difference: float
    """Squared discrepancy of the new samples less that of the old ones; negative if the new are closer."""
    p_value: float
    """One-sided, of "new is no closer"."""


def _flat(name: str, values: np.ndarray) -> np.ndarray:
    values = np.asarray(values, dtype=np.float64)
    flat = values.reshape(len(values), -1) if values.ndim else values[None, None]
    if len(flat) < 2:
        raise ValueError(f"{name} must hold at least 2 samples; got {len(flat)}. Draw more.")
    _checks.finite(name, flat)
    return flat


@checked()
def pair(first: np.ndarray, second: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return two sets of samples of one length, each flattened to rows."""
    a, b = _flat("first", first), _flat("second", second)
    if a.shape[1] != b.shape[1]:
        raise ValueError(f"samples must have one length; got {a.shape[1]} and {b.shape[1]}. Resample one set.")
    return a, b


@checked(n_projections=(1, None))
def sliced_wasserstein(
    first: np.ndarray, second: np.ndarray, rng: np.random.Generator, n_projections: int = 256
) -> float:
    r"""Return the sliced Wasserstein-2 distance.

    :math:`\left(E_\theta W_2^2(\theta\cdot x, \theta\cdot y)\right)^{1/2}` over random directions.

    Parameters
    ----------
    first, second : ndarray
        Samples `(n, ...)`; the sets may differ in number, each sample of a set weighs alike.
    rng : numpy Generator
        Source of the directions.
    n_projections : int
        Number of directions.

    Returns
    -------
    float
        Distance in the unit of the samples; :math:`|\mu|/\sqrt d` for two Gaussians whose means differ by mu.

    Notes
    -----
    Costs one product and one sort for each direction.

    References
    ----------
    Bonneel et al. (2015), Sliced and Radon Wasserstein barycenters of measures, J. Math. Imaging Vis. 51.
    """
    a, b = pair(first, second)
    directions = rng.standard_normal((a.shape[1], n_projections))
    directions /= np.linalg.norm(directions, axis=0)
    return root_mean_transport(np.sort(a @ directions, axis=0), np.sort(b @ directions, axis=0))


@checked(first=(None, None), second=(None, None))
def root_mean_transport(first: np.ndarray, second: np.ndarray) -> float:
    """Return the root of the mean over columns of the squared Wasserstein-2 distance of sorted columns, exactly.

    Parameters
    ----------
    first, second : ndarray, shapes (n, k) and (m, k)
        Each column sorted.

    Notes
    -----
    The integral of the squared difference of two quantile functions, which are steps at i / n and at j / m. No linear
    assignment is needed in one dimension.
    """
    n, m = len(first), len(second)
    _checks.shape("second", second, (None, first.shape[1]), "Project both sets on the same directions.")
    if n == m:
        return float(np.sqrt(np.square(first - second).mean()))
    # In units of 1 / (n m) both sets' steps end at whole numbers.
    ends = np.union1d(np.arange(1, n + 1) * m, np.arange(1, m + 1) * n)
    gaps = first[(ends - 1) // m] - second[(ends - 1) // n]
    return float(np.sqrt((np.diff(ends, prepend=0) @ np.square(gaps)).mean() / (n * m)))


@checked()
def median_distance(samples: np.ndarray) -> float:
    """Return the median distance between two samples of the set, the unit of `BANDWIDTHS`.

    Raises
    ------
    ValueError
        If most samples coincide: such a kernel has no width.
    """
    flat = _flat("samples", samples)
    width = float(np.sqrt(np.median(squared_distances(flat, flat)[np.triu_indices(len(flat), 1)])))
    if width == 0:
        raise ValueError("samples must differ from one another; their median distance is 0. Use data that varies.")
    return width


@checked(a=(None, None), b=(None, None), width=(1e-150, None))
def kernel(a: np.ndarray, b: np.ndarray, width: float) -> np.ndarray:
    """Return the kernel `(n, m)` between two sets of flat samples: the mean Gaussian of `BANDWIDTHS` times `width`."""
    squared = squared_distances(a, b)
    return np.mean([np.exp(-squared / (2 * (h * width) ** 2)) for h in BANDWIDTHS], axis=0)


@checked(a=(None, None), b=(None, None))
def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the squared distances `(n, m)` between two sets of flat samples."""
    _checks.shape("b", b, (None, a.shape[1]), "Give samples of one length.")
    # One matrix product instead of a loop over pairs; rounding can leave tiny negative numbers where samples coincide.
    squared = np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * (a @ b.T)
    return np.maximum(squared, 0.0, out=squared)


def _off_diagonal_mean(matrix: np.ndarray) -> float:
    n = len(matrix)
    return float((matrix.sum() - np.trace(matrix)) / (n * (n - 1)))


@checked(width=(1e-150, None))
def mmd2(first: np.ndarray, second: np.ndarray, width: float) -> float:
    """Return the unbiased squared maximum mean discrepancy under a sum of Gaussian kernels.

    Parameters
    ----------
    first, second : ndarray
        Samples `(n, ...)`.
    width : float
        Unit of the kernel widths, from `median_distance` of the reference data.

    Returns
    -------
    float
        Zero on average for equal distributions, hence sometimes negative.

    Notes
    -----
    Costs the three matrices of pairwise distances.

    References
    ----------
    Gretton et al. (2012), A kernel two-sample test, J. Mach. Learn. Res. 13, equation 3.
    """
    a, b = pair(first, second)
    cross = kernel(a, b, width).mean()
    return _off_diagonal_mean(kernel(a, a, width)) + _off_diagonal_mean(kernel(b, b, width)) - 2 * float(cross)


@checked(width=(1e-150, None))
def relative_mmd_test(reference: np.ndarray, new: np.ndarray, old: np.ndarray, width: float) -> RelativeTest:
    r"""Test whether `new` is closer to `reference` than `old` is.

    The difference :math:`MMD^2(R, new) - MMD^2(R, old)` is a U-statistic over triples, whose variance is
    :math:`\frac4n` times that of its first projection; a small p-value says that `new` is closer.

    Parameters
    ----------
    reference, new, old : ndarray
        The same number of samples `(n, ...)` each, drawn independently.
    width : float
        Unit of the kernel widths.

    Returns
    -------
    RelativeTest
        Difference (negative if `new` is closer) and the p-value of "new is no closer".

    Raises
    ------
    ValueError
        If the numbers of samples differ.

    References
    ----------
    Bounliphone et al. (2016), arXiv 1511.04581; Binkowski et al. (2018), section 4, for its use during training.
    """
    sizes = [len(each) for each in (*pair(reference, new), pair(reference, old)[1])]
    if len(set(sizes)) > 1:
        raise ValueError(f"reference, new and old must be as many; got {str(sizes)[1:-1]}. Trim the longer.")
    return relative_test(mmd_terms(reference, new, width), mmd_terms(reference, old, width))


@checked(width=(1e-150, None))
def mmd_terms(reference: np.ndarray, samples: np.ndarray, width: float) -> np.ndarray:
    """Return what each pair of a reference and a sample adds to the discrepancy, `(n,)`: all that a test needs.

    The sum over j of k(x_i, x_j) - k(x_i, r_j) - k(r_i, x_j), j other than i.
    """
    r, x = pair(reference, samples)
    if len(r) != len(x):
        raise ValueError(f"reference and samples must be as many; got {len(r)} and {len(x)}. Trim the longer.")
    cross = kernel(x, r, width)
    terms = kernel(x, x, width) - cross - cross.T
    np.fill_diagonal(terms, 0.0)
    return terms.sum(1)


@checked(new=(None,), old=(None,))
def relative_test(new: np.ndarray, old: np.ndarray) -> RelativeTest:
    """Return `relative_mmd_test` of two sets from their `mmd_terms` with one reference."""
    n = len(new)
    if n < 2 or len(old) != n:
        raise ValueError(f"new and old must be as many terms, two at least; got {n} and {len(old)}. Use one reference.")
    h = (new - old) / (n - 1)
    difference, spread = float(h.mean()), float(np.sqrt(4 / n * np.var(h, ddof=1)))
    if spread == 0:
        return RelativeTest(difference, 1.0 if difference >= 0 else 0.0)
    return RelativeTest(difference, float(stats.norm.cdf(difference / spread)))


@checked(k=(1, None))
def density_coverage(real: np.ndarray, fake: np.ndarray, k: int = 5) -> tuple[float, float]:
    """Return density and coverage of `fake` in the k-nearest-neighbour balls of `real`.

    Density counts in how many balls a generated sample lies, divided by k: 1 on average for equal distributions, low
    for samples away from the data. Coverage is the share of balls that hold a generated sample: low when modes are
    missed.

    Raises
    ------
    ValueError
        If `real` holds no more than k samples.

    References
    ----------
    Naeem et al. (2020), Reliable fidelity and diversity metrics for generative models, equations 3 and 4.
    """
    inside = ball_members(real, fake, k)
    return float(inside.sum() / (k * inside.shape[1])), float(inside.any(axis=1).mean())


@checked(k=(1, None))
def ball_members(real: np.ndarray, fake: np.ndarray, k: int = 5) -> np.ndarray:
    """Return `(n_real, n_fake)` booleans: whether a generated sample lies in the k-neighbour ball of a real one."""
    a, b = pair(real, fake)
    if len(a) <= k:
        raise ValueError(f"real must hold more than k = {k} samples; got {len(a)}. Draw more.")
    # Pair by pair, for the k-th neighbour must not slip into its ball by the rounding of another matrix product.
    radius = np.partition(cdist(a, a, "sqeuclidean"), k, axis=1)[:, k]  # entry 0 is the sample itself
    return cdist(a, b, "sqeuclidean") < radius[:, None]


@checked()
def neighbour_accuracy(real: np.ndarray, fake: np.ndarray) -> float:
    """Return the accuracy of the leave-one-out nearest-neighbour classifier; 0.5 for equal distributions and numbers.

    References
    ----------
    Lopez-Paz and Oquab (2017), Revisiting classifier two-sample tests, section 3.
    """
    return float(neighbour_hits(real, fake).mean())


@checked()
def neighbour_hits(real: np.ndarray, fake: np.ndarray) -> np.ndarray:
    """Return for each sample, real ones first, whether its nearest other sample is of the same set."""
    a, b = pair(real, fake)
    both, label = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    distance = squared_distances(both, both)
    np.fill_diagonal(distance, np.inf)
    return label[distance.argmin(axis=1)] == label


@checked()
def nearest(training: np.ndarray, samples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distance to and index of the nearest training sample of each sample.

    Distances well below those of unseen real samples mean that the generator repeats what it was shown.
    """
    a, b = pair(training, samples)
    best, index = np.full(len(b), np.inf), np.zeros(len(b), dtype=np.int64)
    for start in range(0, len(a), 2000):  # bounds the memory at 2000 rows
        distance = np.sqrt(squared_distances(a[start : start + 2000], b))
        row = distance.argmin(axis=0)
        closer = distance[row, np.arange(len(b))] < best
        best = np.where(closer, distance[row, np.arange(len(b))], best)
        index = np.where(closer, row + start, index)
    # By differences: the products' rounding leaves copies 1e-8 apart.
    return np.linalg.norm(a[index] - b, axis=1), index


@checked(dt=(1e-12, None, "s"))
def amplitude_spectrum(traces: np.ndarray, dt: float) -> tuple[np.ndarray, np.ndarray]:
    """Return frequencies in Hz and the mean amplitude spectrum of traces `(n, nt)` or `(n, 1, nt)`; `dt` in s."""
    flat = _flat("traces", traces)
    return np.fft.rfftfreq(flat.shape[1], dt), np.abs(np.fft.rfft(flat, axis=1)).mean(axis=0) * dt


@checked(dt=(1e-12, None, "s"), share=(0, 1))
def first_event(traces: np.ndarray, dt: float, share: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return time in s and polarity (+1 or -1) of the first event of each trace.

    The event is the first local extremum whose amplitude reaches `share` of the trace's largest, the last sample of a
    plateau; a trace without one has time NaN and polarity 0. The first and the last sample are no extrema.
    """
    flat = _flat("traces", traces)
    size = np.abs(flat)
    peak = size.max(axis=1, keepdims=True)
    turning = np.zeros_like(size, dtype=bool)
    turning[:, 1:-1] = (size[:, 1:-1] >= size[:, :-2]) & (size[:, 1:-1] > size[:, 2:])
    picked = turning & (size >= share * peak) & (peak > 0)
    index = picked.argmax(axis=1)
    found = picked.any(axis=1)
    polarity = np.where(found, np.sign(flat[np.arange(len(flat)), index]), 0)
    return np.where(found, index * dt, np.nan), polarity.astype(np.int64)
