"""What two figures say of each other, in sentences of our own."""

from __future__ import annotations

import pytest

from tasks.sentiment.figures import BETTER, WORSE, compared, marks

BETTERS = (
    "Corvani kept EUR 3.1 mn of profit , compared to EUR 2.6 mn the spring before .",
    "At Halden Foods a share earned $0.44 versus a loss per share of $2.26.",
    "Tallvik's deficit ran to 4.0 million euros, compared with a deficit of 9.2 million euros.",
    "EBIT of the harbour: SEK 14.4 mn against a loss of SEK 0.3 mn.",
    "Turnover of the bakery went from GBP 900,000 to GBP 1.2 million.",
    "Gearing of the brewery is 41.5 %, in comparison to 50 %.",
    "Bluefjord's margin, 12 per cent, compared to -3 per cent.",
)
WORSES = (
    "Oakline earned 7.9 mln euro $ 10.4 mln, compared to 8.4 mln euro $ 11.1 mln the year before.",
    "New bookings at Tradesail: 7.0 million euros, compared to 8.8 million euros in May.",
    "Kontiva's loss grew to CHF 15.7 mn, versus a profit of CHF 6.4 mn.",
    "Brenta now shows a loss of 400,000 dollars versus a profit of 210,000 dollars.",
    "Paylora holds 37.5 % of its market, against 39 % last year.",
    "Fuel costs were EUR 12 mn, compared to EUR 9 mn.",
)
SILENT = (
    "The lease runs from 2007 to 2010 and covers 30 sites.",
    "Nestwallet sold EUR 5.2 mn of cards.",
    "The firm dates from 1985, compared to its rival of 1999.",
    "Rent was EUR 5.0 mn, compared to 12 % of the group.",
    "Sales were EUR 5.0 mn, compared to EUR 5.0 mn.",
    "Profit rose from EUR 1.2 mn.",
    "",
)


@pytest.mark.parametrize(
    ("text", "way"), [*((t, 1) for t in BETTERS), *((t, -1) for t in WORSES), *((t, 0) for t in SILENT)]
)
def test_figures_are_compared_with_their_sides_and_units(text: str, way: int) -> None:
    assert compared(text) == way


def test_a_text_is_marked_only_where_its_figures_speak() -> None:
    assert marks(BETTERS[0]) == [BETTER]
    assert marks(WORSES[0]) == [WORSE]
    assert marks(SILENT[0]) == []
