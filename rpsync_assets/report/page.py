"""The page: one HTML text that needs nothing else.

Belongs here: handing what was gathered to the template. Does not: gathering, storing.
"""

from collections.abc import Sequence
from datetime import UTC, datetime

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from rpsync_assets.check_groups import GROUPS, OTHER, group_of
from rpsync_assets.report import charts
from rpsync_assets.report.gather import Day
from rpsync_assets.report.history import DAYS, CheckHistory, days_until

DRIFT = {
    "oms_matches_retail_pro": "Keys whose OMS count is not Retail Pro's",
    "shopify_matches": "Items that showed another number than they should after the full reset",
}


def render(
    day: Day,
    checks: Sequence[CheckHistory],
    seconds: dict[str, list[float | None]],
    *,
    explain_url: str | None,
) -> str:
    """The page of a day."""
    environment = Environment(
        loader=PackageLoader("rpsync_assets.report", "."), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    known = {(key.facility, key.upc) for key in day.traces}

    def link(facility: str, upc: str) -> str | Markup:
        if (facility, upc) not in known:
            return upc
        return Markup('<a href="#{}">{}</a>').format(_anchor(facility, upc), upc)

    return environment.get_template("page.html.j2").render(
        day=day,
        days=DAYS,
        made_at=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        funnel=_svg(
            charts.bars([n for n, _ in day.funnel], [v for _, v in day.funnel], log=True) if day.funnel else ""
        ),
        checks=_grouped(checks),
        rejected_chart=_svg(_rejected(day)),
        drift=_drift(checks, day),
        timings=_svg(_timings(seconds)),
        explain_url=explain_url,
        link=link,
        anchor=_anchor,
    )


def _svg(text: str) -> Markup:
    """Ours, made by a library from numbers and by itself escaped."""
    return Markup(text)  # noqa: S704


def _anchor(facility: str, upc: str) -> str:
    return f"key-{facility}-{upc}"


def _rejected(day: Day) -> str:
    if not day.rejected:
        return ""
    names = [reason for reason, _, _ in day.rejected]
    return charts.bars(names, [rows for _, rows, _ in day.rejected], bad=names)


def _grouped(checks: Sequence[CheckHistory]) -> list[tuple[str, list[dict[str, object]]]]:
    """By what they are about; only checks that were ever run."""
    run = [check for check in checks if any(one is not None for one in check.outcomes)]
    return [
        (
            group,
            [
                {"check": check, "strip": _svg(charts.strip(check.outcomes))}
                for check in run
                if group_of(check.name) == group
            ],
        )
        for group in (*GROUPS, OTHER)
        if any(group_of(check.name) == group for check in run)
    ]


def _drift(checks: Sequence[CheckHistory], day: Day) -> list[tuple[str, Markup]]:
    labels = [f"{one:%d %b}" for one in days_until(datetime.fromisoformat(day.day).date())]
    return [
        (DRIFT[check.name], _svg(charts.line(check.observed, labels)))
        for check in checks
        if check.name in DRIFT and any(one is not None for one in check.observed) and check.asset != "shopify_delta"
    ]


def _timings(seconds: dict[str, list[float | None]]) -> str:
    timed = {name: taken for name, taken in seconds.items() if taken and taken[-1] is not None}
    if not timed:
        return ""
    before = [[one for one in taken[:-1] if one is not None] for taken in timed.values()]
    return charts.ranges(list(timed), [taken[-1] or 0.0 for taken in timed.values()], before)
