"""Daily prices out of a user's long file, and what is odd about them: gaps, and jumps that look like a split."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from tasks.data.long_file import LongTable, Track
from tasks.data.market import WINDOW, Prices
from tasks.task import DataError, FloatArray

NAMES = {
    "date": ("date", "day", "trading day", "trade date", "datetime"),
    "close": (
        *("adj close", "adjclose", "adj. close", "adjusted close", "close adj", "adjusted"),
        *("close", "close/last", "closing price", "last", "price"),
    ),
    "ticker": ("ticker", "symbol", "asset", "instrument", "name"),
}
NEEDS = ("date", "close")
ADJUSTED = NAMES["close"][:6]
GAP_DAYS = 10  # calendar days without a price that are said
RATIOS = (2, 3, 4, 5, 6, 7, 8, 10, 15, 20, 25, 30, 50, 100)  # new shares for one old, or old for one new
NEAR = 0.02  # a split day has a return of its own beside the ratio
USUAL, CALM = 8.0, 0.25  # a split is so many usual moves, and the others move no more than this share of it
SHOWN = 3


def prices(table: LongTable) -> Prices:
    """The closes of all assets on all days (n, m), NaN where an asset has none."""
    days = np.unique(np.concatenate([track.times for track in table.tracks]))
    close = np.full((len(days), len(table.tracks)), np.nan)
    for column, track in enumerate(table.tracks):
        close[np.searchsorted(days, track.times), column] = track.values
    return Prices(days.astype("datetime64[D]"), tuple(track.name for track in table.tracks), close)


def require_long_enough(table: LongTable, horizon: int, count: int) -> None:
    """Refuse a file that gives no window, or fewer assets than `count`. Raises DataError with the cure."""
    if len(table.tracks) < count:
        raise DataError(
            f"the file holds one asset ({table.tracks[0].name!r}) and the task compares several: give several files by "
            "a pattern such as prices/*.csv, or one file with a ticker column"
        )
    longest = max(table.tracks, key=lambda track: len(track.times))
    least = WINDOW + horizon + 1
    if len(longest.times) < least:
        raise DataError(
            f"the longest history, {longest.name!r}, has {len(longest.times)} days with a price; a row needs "
            f"{least} ({WINDOW + 1} that are seen and {horizon} of the outcome): give a longer history"
        )


def judge(table: LongTable) -> tuple[list[str], list[str]]:
    """What was read, and what is odd: gaps, days that only others have, jumps like a split; sentences for the card."""
    said, warnings, column = [], [], table.columns["close"]
    adjusted = column.lower().replace("_", " ").strip(" *") in ADJUSTED
    said.append(
        f"closes are {column!r}"
        + ("" if adjusted else ", as they stand: dividends and splits count as moves unless they are adjusted")
    )
    found = prices(table)
    gaps = sorted(gap for track in table.tracks for gap in _gaps(track))
    if gaps:
        days, name, last, first = gaps[-1]
        warnings.append(
            f"{len(gaps)} gaps of more than {GAP_DAYS} days; the longest is {days} days of {name} ({last} to {first}): "
            "a window goes over it as if it were one night"
        )
    holes = _holes(found)
    if holes:
        said.append(f"{holes} days without a price where other assets have one: no window goes over them")
    splits = list(_splits(found))
    if splits:
        more = f" and {len(splits) - SHOWN} more" if len(splits) > SHOWN else ""
        warnings.append(f"{'; '.join(splits[:SHOWN])}{more}; if it is one, give adjusted closes")
    return said, warnings


def _gaps(track: Track) -> Iterator[tuple[int, str, str, str]]:
    days = track.times.astype("datetime64[D]")
    steps = np.diff(days).astype(np.int64)
    for at in np.flatnonzero(steps > GAP_DAYS).tolist():
        yield int(steps[at]), track.name, str(days[at]), str(days[at + 1])


def _holes(found: Prices) -> int:
    """Missing prices between an asset's first and last."""
    held = np.isfinite(found.close)
    after, before = np.logical_or.accumulate(held), np.logical_or.accumulate(held[::-1])[::-1]
    return int((~held & after & before).sum())


def _splits(found: Prices) -> Iterator[str]:
    """A sentence for each jump of one asset alone that is near a whole ratio, far beyond its usual moves."""
    moves = _moves(found.close)
    for at, asset in zip(*np.nonzero(np.abs(moves) > np.log(min(RATIOS)) - 0.05), strict=True):
        size, own = abs(float(moves[at, asset])), moves[:, asset]
        usual = 1.4826 * float(np.nanmedian(np.abs(own)))
        tolerance = min(max(NEAR, 2 * usual), 0.05)
        ratio = min(RATIOS, key=lambda whole: abs(size - np.log(whole)))
        if abs(size - np.log(ratio)) > tolerance or size < USUAL * usual:
            continue
        others = np.delete(moves[at], asset)
        others = others[np.isfinite(others)]
        if len(others) and float(np.median(np.abs(others))) > CALM * size:
            continue
        word = f"1/{ratio}" if moves[at, asset] < 0 else str(ratio)
        yield (
            f"{found.names[asset]} jumps to {np.exp(moves[at, asset]):.3f} of its price on {found.days[at]}, near "
            f"{word}: it looks like an unadjusted split"
        )


def _moves(close: FloatArray) -> FloatArray:
    """Log returns (n, m) of each asset from its last price on, at the day of the later one; NaN where there is none."""
    moves = np.full(close.shape, np.nan)
    for asset in range(close.shape[1]):
        held = np.flatnonzero(np.isfinite(close[:, asset]))
        moves[held[1:], asset] = np.diff(np.log(close[held, asset]))
    return moves
