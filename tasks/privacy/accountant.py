"""What Poisson batches, clipped gradients and Gaussian noise cost: epsilon at a delta, and the noise for an epsilon.

`epsilon` composes the privacy loss numerically (Gopi, Lee and Wutschitz 2021, arXiv:2106.02848, algorithms 1 and 2),
`renyi` is an independent upper bound in closed form (Mironov, Talwar and Zhang 2019, arXiv:1908.10530, section 3.3).
One row more or less is the neighbour throughout: its place stays, so that the number of rows is public.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy.fft import irfft, rfft
from scipy.special import gammaln, logsumexp
from scipy.stats import norm

from tasks.task import FloatArray

ERROR = 0.01  # of an epsilon; it is added, so that what is told is an upper end
DELTA_ERROR = 1e-3  # share of delta that the numbers may cost; it is taken off
ORDERS = np.arange(2, 257)
CLOSE = 1e-3  # relative width at which the search for the noise ends
Distribution = Callable[[FloatArray], FloatArray]


def epsilon(noise: float, sample_rate: float, steps: int, delta: float) -> float:
    """The upper end of epsilon after `steps`; `noise` is the deviation over the clip. Infinite without noise.

    The larger of the two orders of the neighbours (a row more, a row less), which are not the same for sampled rows.
    """
    if noise <= 0:
        return math.inf
    small = delta * DELTA_ERROR
    reach = max(renyi(noise, sample_rate, steps, small / 4), renyi(noise, sample_rate, 1, small / (8 * steps))) + 3
    if not math.isfinite(reach) or reach > 200:
        return math.inf
    width = ERROR / math.sqrt(steps / 2 * math.log(12 / small))
    losses = (_removed(noise, sample_rate), _added(noise, sample_rate))
    return max(_composed(loss, steps, delta - small, reach, width) for loss in losses) + ERROR


def noise_for(target: float, sample_rate: float, steps: int, delta: float) -> float:
    """The least noise whose epsilon is at most `target`. Raises ValueError where none can be found."""
    low, high = 0.0, 1.0
    while epsilon(high, sample_rate, steps, delta) > target:
        low, high = high, 2 * high
        if high > 1e5:
            raise ValueError(
                f"privacy.epsilon = {target:g} cannot be reached: the accountant's own error is {ERROR:g}; ask for more"
            )
    while high - low > CLOSE * high:
        middle = (low + high) / 2
        low, high = (low, middle) if epsilon(middle, sample_rate, steps, delta) <= target else (middle, high)
    return high


def renyi(noise: float, sample_rate: float, steps: int, delta: float) -> float:
    """An upper bound of epsilon by Renyi differential privacy over whole orders."""
    k = np.arange(ORDERS[-1] + 1)
    order = ORDERS[:, None]
    left = order - k
    choose = gammaln(order + 1) - gammaln(k + 1) - gammaln(np.maximum(left, 0) + 1)
    rest = np.where(left == 0, 0.0, left * math.log1p(-sample_rate) if sample_rate < 1 else -np.inf)
    cost = choose + rest + k * math.log(sample_rate) + (k * k - k) / (2 * noise**2)
    per_step = logsumexp(np.where(left < 0, -np.inf, cost), axis=1) / (ORDERS - 1)
    turned = np.log((ORDERS - 1) / ORDERS) - (math.log(delta) + np.log(ORDERS)) / (ORDERS - 1)
    return max(float((steps * per_step + turned).min()), 0.0)


def _place(loss: FloatArray, noise: float, sample_rate: float) -> FloatArray:
    """Where log(1 - q + q exp((2x - 1) / 2 sigma^2)) is `loss`; minus infinity where it never is."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inner = np.expm1(loss) + sample_rate
        found = noise**2 * (np.log(inner) - math.log(sample_rate)) + 0.5
    return np.where(inner > 0, found, -np.inf)


def _removed(noise: float, sample_rate: float) -> Distribution:
    """How the loss is distributed where the row is there and its neighbour has none."""

    def below(loss: FloatArray) -> FloatArray:
        at = _place(loss, noise, sample_rate)
        mixed = (1 - sample_rate) * norm.cdf(at / noise) + sample_rate * norm.cdf((at - 1) / noise)
        return np.asarray(mixed)

    return below


def _added(noise: float, sample_rate: float) -> Distribution:
    """The same the other way about."""
    return lambda loss: np.asarray(norm.sf(_place(-loss, noise, sample_rate) / noise))


def _composed(below: Distribution, steps: int, delta: float, reach: float, width: float) -> float:
    """Epsilon of `steps` independent losses, put on a grid of `width` over [-reach, reach], by Fourier transform."""
    half = math.ceil(reach / width)
    grid = np.arange(-half, half + 1) * width
    edges = np.append(grid - width / 2, grid[-1] + width / 2)
    at = below(edges)
    mass = np.diff(at)
    mass = np.clip(mass, 0.0, None) / mass.sum()
    # The mean of a grid's loss is made that of the loss itself: E = integral of the survival function, from the left.
    fine = np.linspace(edges[0], edges[-1], 2 * len(edges) + 1)
    share = (below(fine) - at[0]) / (at[-1] - at[0])
    mean = float(fine[-1] - np.trapezoid(share, fine))
    shift = steps * (mean - float(mass @ grid))
    # Circular: the middle of the grid is the zero of the transform.
    total = np.fft.fftshift(irfft(rfft(np.fft.ifftshift(mass)) ** steps, len(grid)))
    return _at(np.asarray(grid + shift, np.float64), np.asarray(np.clip(total, 0.0, None)), delta)


def _at(losses: FloatArray, mass: FloatArray, delta: float) -> float:
    """The least epsilon with sum of mass * (1 - exp(epsilon - loss)) over losses above it at most delta."""
    low, high = 0.0, float(losses[-1])
    while high - low > 1e-6:
        middle = (low + high) / 2
        above = losses > middle
        left = float((mass[above] * -np.expm1(middle - losses[above])).sum())
        low, high = (low, middle) if left <= delta else (middle, high)
    return high
