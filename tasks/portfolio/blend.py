"""From views to weights: Black-Litterman around equal weight, then the best portfolio within the constraints."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks.portfolio.constraints import TOLERANCE, Constraints, Infeasible, violations
from tasks.portfolio.features import HORIZON, SCALE
from tasks.task import FloatArray

AVERSION = 2.5  # return asked per unit of variance, He and Litterman (1999)
COST = 0.001  # of the value traded, one way
SURE = 1e4  # times the variance: beside it the cost of leaving equal weight is nothing
LEAST_DOUBT = 1e-9  # of a view, in prior variances: assets that move alike leave their covariance singular
TAU = 0.05  # the prior is worth 1 / TAU = 20 months of returns, same source


def covariance(returns: FloatArray) -> FloatArray:
    """Estimate the covariance over the horizon (m, m) from daily returns (m, days), by Ledoit and Wolf (2004)."""
    from sklearn.covariance import ledoit_wolf

    shrunk, _ = ledoit_wolf(returns.T)
    return np.asarray(shrunk * HORIZON)


def posterior(risk: FloatArray, raw: FloatArray) -> FloatArray:
    """Expected returns over the horizon (m,): the equilibrium of equal weight, moved by the views.

    The view on an asset is its equilibrium return plus how far its raw mean stands above the mean of all; equal raw
    means say nothing and leave the equilibrium. The head's variance is that of the outcome, so a view counts as one
    month against a prior of 1 / TAU (He and Litterman 1999, The intuition behind Black-Litterman model portfolios).
    """
    equilibrium = AVERSION * risk @ np.full(len(risk), 1 / len(risk))
    tilt = (raw[:, 0] - raw[:, 0].mean()) / SCALE
    least = LEAST_DOUBT * TAU * max(float(risk.diagonal().max()), LEAST_DOUBT)
    doubt = np.diag(np.maximum(np.exp(np.minimum(raw[:, 1], 40.0)) / SCALE**2, least))
    return np.asarray(equilibrium + TAU * risk @ np.linalg.solve(TAU * risk + doubt, tilt))


def weights(expected: FloatArray, risk: FloatArray, names: Sequence[str], limits: Constraints) -> FloatArray:
    """Maximise expected return less AVERSION / 2 times variance, long only and within the limits.

    A tilt away from what is held, or from equal weight where nothing is known to be held, must pay for the trade that
    it takes, else weak views would only feed brokers.
    Raises Infeasible where the solver's answer breaks a limit, so that no such portfolio ever leaves here.
    """
    import cvxpy

    share = cvxpy.Variable(len(names))
    caps = [
        cvxpy.sum(share[[names.index(name) for name in limits.groups[group]]]) <= cap
        for group, cap in limits.max_group.items()
        if limits.groups[group]
    ]
    held = np.array([limits.previous_weights.get(name, 0.0) for name in names])
    if limits.max_turnover is not None:
        caps.append(cvxpy.norm1(share - held) <= limits.max_turnover)
    rules = [cvxpy.sum(share) == 1, share >= limits.min_weight, share <= limits.max_weight, *caps]
    worth = expected @ share - AVERSION / 2 * cvxpy.quad_form(share, cvxpy.psd_wrap((risk + risk.T) / 2))
    tilt = cvxpy.norm1(share - (held if limits.previous_weights else 1 / len(names)))
    cvxpy.Problem(cvxpy.Maximize(worth - COST * tilt), rules).solve(solver=cvxpy.CLARABEL)
    if share.value is None:
        raise Infeasible(f"no portfolio of {len(names)} assets meets the constraints: loosen one of them")
    found = np.clip(share.value, limits.min_weight, limits.max_weight)
    if np.abs(found - 1 / len(names)).max() < TOLERANCE:
        found = np.full(len(names), 1 / len(names))  # the solver's last digits are no view
    broken = violations(dict(zip(names, found.tolist(), strict=True)), limits)
    if broken:
        raise Infeasible(f"the solver broke a constraint ({broken[0]}): loosen it")
    return np.asarray(found)


def invest(returns: FloatArray, raw: FloatArray, names: Sequence[str], limits: Constraints) -> FloatArray:
    """Weights (m,) for m assets from their daily returns (m, days) and calibrated raw views (m, 2)."""
    risk = covariance(returns)
    return weights(posterior(risk, raw), risk, names, limits)


def least_variance(returns: FloatArray, raw: FloatArray, names: Sequence[str], limits: Constraints) -> FloatArray:
    """Weights (m,) of the portfolio that varies least within the limits; it hears no view."""
    risk = covariance(returns)
    return weights(np.zeros(len(risk)), SURE * risk, names, limits)
