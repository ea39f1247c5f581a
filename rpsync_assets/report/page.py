"""The page: one HTML text that needs nothing else.

Belongs here: handing what was gathered to the template. Does not: gathering, storing.
"""

from collections.abc import Sequence
from datetime import date
from statistics import median
from urllib.parse import urlencode

from markupsafe import Markup

from rpsync_assets.report import charts, verdicts
from rpsync_assets.report.figures import Figures, Line
from rpsync_assets.report.gather import Day
from rpsync_assets.report.history import DAYS, CheckHistory, days_until
from rpsync_assets.report.templates import environment
from rpsync_assets.report.words import WORDS

DRIFT = {
    "oms_matches_retail_pro": "Keys whose OMS count is not Retail Pro's",
    "shopify_matches": "Numbers at Shopify that were not what they should be after the full reset",
}


def render(
    day: Day,
    checks: Sequence[CheckHistory],
    seconds: dict[str, list[float | None]],
    *,
    pages_url: str | None,
) -> str:
    """The page of a day.

    Args:
        day: what was gathered.
        checks: the day's checks with their history.
        seconds: by asset: how long it took on each of the last days.
        pages_url: where pages and explanations are served; None where they are not.
    """
    templates = environment()
    templates.filters |= {"n": _number, "signed": _signed}
    known = {(key.facility, key.upc) for key in day.traces}

    def link(facility: str | None, upc: str | None, text: str | None = None) -> str | Markup:
        """To the key's story: in this page, else where any is served."""
        shown = text or upc or ""
        if not facility or not upc or not upc.strip():
            return shown
        asked = urlencode({"store": day.store, "date": day.day, "facility": facility, "upc": upc})
        there = None if pages_url is None else f"{pages_url}/explain?{asked}"
        target = f"#{_anchor(facility, upc)}" if (facility, upc) in known else there
        return shown if target is None else Markup('<a href="{}">{}</a>').format(target, shown)

    return templates.get_template("page.html.j2").render(
        day=day,
        days=DAYS,
        checked_days=verdicts.days_with_checks(checks),
        few_days=verdicts.FEW_DAYS,
        failed=verdicts.failed(checks),
        groups=verdicts.groups(checks),
        not_evaluated=verdicts.not_evaluated(checks),
        strip=lambda check: _svg(charts.strip(check.outcomes)),
        drift=_drift(checks, day),
        timings=_svg(_timings(seconds)),
        took=_took(seconds),
        pages_url=pages_url,
        words=WORDS,
        states=lambda trace: [state for state in trace.states if not state.startswith("sellable_")],
        link=link,
        anchor=_anchor,
    )


def _number(value: object) -> str:
    """With thousands apart; what is no number as it is, and nothing as nothing."""
    return "" if value is None else f"{value:,}" if isinstance(value, int | float) else str(value)


def _signed(value: int | None) -> str:
    return "" if value is None else f"{value:+,d}" if value else "0"


def _svg(text: str) -> Markup:
    """Ours, made by a library from numbers and by itself escaped."""
    return Markup(text)  # noqa: S704


def _anchor(facility: str | None, upc: str | None) -> str:
    return f"key-{facility}-{upc}"


def _drift(checks: Sequence[CheckHistory], day: Day) -> list[tuple[str, str, Markup]]:
    """What is drawn over the days, in words and, from a few days on, as a chart."""
    labels = [f"{one:%d %b}" for one in days_until(date.fromisoformat(day.day))]
    found: list[tuple[str, str, Markup]] = []
    for check in checks:
        seen = [one for one in check.observed if one is not None]
        if check.name not in DRIFT or not seen:
            continue
        today = "not compared today" if check.observed[-1] is None else f"{check.observed[-1]:,.0f} today"
        said = f"{today}; at most {max(seen):,.0f} on the {len(seen)} of {DAYS} days that were compared."
        chart = charts.line(check.observed, labels) if len(seen) >= verdicts.FEW_DAYS else ""
        found.append((DRIFT[check.name], said, _svg(chart)))
    return found


def _timed(seconds: dict[str, list[float | None]]) -> dict[str, tuple[float, list[float]]]:
    """Today's seconds and those of the days before."""
    return {
        name: (taken[-1], [one for one in taken[:-1] if one is not None])
        for name, taken in seconds.items()
        if taken and taken[-1] is not None
    }


def _timings(seconds: dict[str, list[float | None]]) -> str:
    timed = _timed(seconds)
    if not any(len(before) + 1 >= verdicts.FEW_DAYS for _, before in timed.values()):
        return ""
    return charts.ranges(list(timed), [now for now, _ in timed.values()], [before for _, before in timed.values()])


def _took(seconds: dict[str, list[float | None]]) -> Figures | None:
    """The same in words, in tenths of a second."""
    timed = _timed(seconds)
    lines = [
        Line(name, round(now, 1), f"usually {median(before):.1f}" if before else "")
        for name, (now, before) in timed.items()
    ]
    total = sum(now for now, _ in timed.values())
    return Figures("Seconds", [*lines, Line("together", round(total, 1), total=True)]) if lines else None
