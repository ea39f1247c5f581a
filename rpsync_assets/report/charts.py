"""The page's charts, as SVG texts.

Belongs here: drawing. Does not: what is drawn.

One colour says what is, another what is missing or red; both survive a printer that has only grey.
"""

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, GOOD, BAD, PALE = "#1f2933", "#2f6f9f", "#c2410c", "#d5dde5"
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "rpsync",
    "font.family": ["sans-serif"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "axes.edgecolor": PALE,
}


def ranges(labels: Sequence[str], today: Sequence[float], before: Sequence[Sequence[float]]) -> str:
    """Seconds of today as a dot over the range and median of the days before."""
    with _axes(height=0.5 + 0.28 * len(labels)) as (figure, axes):
        places = list(range(len(labels)))[::-1]
        for place, now, past in zip(places, today, before, strict=True):
            if past:
                axes.plot([min(past), max(past)], [place, place], color=PALE, linewidth=6, solid_capstyle="round")
                axes.plot(sorted(past)[len(past) // 2], place, "|", color=INK, markersize=9)
            axes.plot(now, place, "o", color=BAD if past and now > 2 * max(past) and now > 1 else GOOD, markersize=6)
        axes.set_yticks(places, labels)
        axes.set_xlim(left=0)
        axes.set_xlabel("seconds: dot today, bar the range and mark the median of the days before")
        return _svg(figure)


def line(values: Sequence[float | None], labels: Sequence[str]) -> str:
    """A number over the days; days without one are gaps."""
    with _axes(height=1.5) as (figure, axes):
        axes.plot(range(len(values)), [float("nan") if one is None else one for one in values], "o-", color=GOOD, ms=4)
        shown = sorted({0, len(labels) // 2, len(labels) - 1})
        axes.set_xticks(shown, [labels[one] for one in shown])
        axes.set_ylim(0, 1.15 * max([1.0, *(one for one in values if one is not None)]))
        return _svg(figure)


def strip(outcomes: Sequence[bool | None]) -> str:
    """A check's days as small squares: passed, not passed (hollow and crossed), none."""
    size, gap = 7, 2
    cells: list[str] = []
    for number, passed in enumerate(outcomes):
        left = number * (size + gap)
        fill = PALE if passed is None else GOOD if passed else BAD
        height = 2 if passed is None else size
        cells.append(f'<rect x="{left}" y="{size - height}" width="{size}" height="{height}" fill="{fill}"/>')
        if passed is False:
            cells.append(
                f'<path d="M{left} 0l{size} {size}m0 -{size}l-{size} {size}" stroke="#fff" stroke-width="1.2"/>'
            )
    width = len(outcomes) * (size + gap)
    return f'<svg class="strip" width="{width}" height="{size}" viewBox="0 0 {width} {size}">{"".join(cells)}</svg>'


@contextmanager
def _axes(height: float) -> "Iterator[tuple[Figure, Axes]]":
    # Loaded where something is drawn: the code location must load at once, and most pages of a new store have no chart.
    from matplotlib import rc_context  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    with rc_context(_STYLE):
        figure = Figure(figsize=(7.4, height), layout="constrained")
        axes = figure.subplots()
        axes.spines[["top", "right", "bottom"]].set_visible(False)
        axes.tick_params(length=0)
        yield figure, axes


def _svg(figure: "Figure") -> str:
    target = io.StringIO()
    # No date in it: the same day drawn twice is the same page.
    figure.savefig(target, format="svg", transparent=True, metadata={"Date": None})
    text = target.getvalue()
    return text[text.index("<svg") :]
