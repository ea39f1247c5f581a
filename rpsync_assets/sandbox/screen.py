"""What ``rpsync demo`` shows: progress while it works, then the funnel per store and the checks.

Belongs here: the screen. Does not: numbers (they come from ``demo``).
"""

import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from rpsync_assets.sandbox.demo import Run, Summary
from rpsync_assets.sandbox.environment import Environment


class Screen:
    """A console that tells what happens as it happens."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._started: dict[tuple[str, str], float] = {}

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Show what our own code logs meanwhile: downloads, filters, deliveries, imports."""
        handler = _Lines(self._console)
        handler.setLevel(logging.INFO)
        ours = logging.getLogger("rpsync_assets")
        ours.addHandler(handler)
        ours.setLevel(logging.INFO)
        try:
            yield
        finally:
            # A handler that is left keeps our modules alive past the end, and DuckDB complains of that on the screen.
            ours.removeHandler(handler)

    def on_step(self, store: str, step: str, state: str) -> None:
        """A step started, was done, or failed."""
        if state == "start":
            self._started[store, step] = time.monotonic()
            return
        seconds = time.monotonic() - self._started.get((store, step), time.monotonic())
        mark = "[green]✔[/]" if state == "done" else "[red]✘[/]"
        self._console.print(f"  {mark} {store} {escape(step):<40} {seconds:6.2f} s")

    def show(self, summary: Summary, environment: Environment) -> None:
        """The funnel and the checks of each store, and the verdict."""
        for store, runs in summary.stores.items():
            morning = environment.mornings[store]
            self._console.rule(f"{store} · {morning.business_date} · {morning.file_name}")
            self._console.print(_funnel(runs))
            self._console.print(_checks(runs))
            for run in runs:
                for step, said in run.failures.items():
                    self._console.print(f"[red]✘ {escape(step)}:[/] {escape(said)}")
        verdict = "[green]everything held[/]" if summary.held else "[red]not everything held[/]"
        self._console.print(
            f"\n{verdict} · {summary.seconds:.1f} s · peak memory {summary.peak_memory_mb:.0f} MB", highlight=False
        )


class _Lines(logging.Handler):
    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def emit(self, record: logging.LogRecord) -> None:
        self._console.print(f"    {escape(record.getMessage())}", style="dim", highlight=False)


def _funnel(runs: list[Run]) -> Table:
    """File -> kept -> delivered -> imported -> variance -> sellable -> Shopify differences."""
    assets: dict[str, Mapping[str, object]] = {name: said for run in runs for name, said in run.assets.items()}
    table = Table(box=None, pad_edge=False, show_header=False)
    for label, asset, words in (
        ("file", "raw_reset_file", "{dagster/row_count:,} rows, {bytes:,} bytes, {arrival}"),
        ("active products", "active_products", "{dagster/row_count:,}"),
        ("kept", "filtered_reset", "{dagster/row_count:,} rows; {inactive:,} inactive, {rejected:,} rejected"),
        (
            "delivered",
            "filtered_reset_parts",
            "{dagster/row_count:,} rows in {parts} part(s), generation {generation}: {outcome}",
        ),
        (
            "imported",
            "reset_import",
            "{applied:,} applied, {unchanged:,} unchanged, {superseded:,} superseded, {failed:,} failed;"
            " {units up:,} units up, {units down:,} down",
        ),
        ("unreported", "unreported_shipments", "{units:,} units of {orders:,} orders that Retail Pro does not know of"),
        ("variance", "variance_file", "{units:,} units of {dagster/row_count:,} keys of this reset: {outcome}"),
        ("variance import", "variance_import", "{applied:,} applied, {clamped:,} clamped, {failed:,} failed"),
        (
            "sellable",
            "online_atp",
            "{sellable units:,} units of {products that can be sold:,} products (of {products:,})",
        ),
        ("sold in store", "pos_sales", "{units sold:,} units, {units returned:,} returned"),
        (
            "Shopify full reset",
            "shopify_full_reset",
            "{up:,} up, {down:,} down, {unchanged:,} unchanged, {not stocked:,} not stocked; {items sent:,} sent",
        ),
        ("Shopify delta", "shopify_delta", "{up:,} up, {down:,} down; {items sent:,} sent"),
    ):
        said = assets.get(asset, {})
        told = words.format_map(said) if "dagster/row_count" in said else "[yellow]did not happen[/]"
        seconds = said.get("seconds")
        table.add_row(f"[bold]{label}[/]", told, f"[dim]{seconds:.2f} s[/]" if isinstance(seconds, float) else "")
    return table


def _checks(runs: list[Run]) -> Table:
    """Every check with its number; what a red one needed, and what to do, is said in full."""
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in (check for run in runs for check in run.checks):
        mark = "[green]✔[/]" if check["passed"] else "[red]✘[/]"
        told = escape(str(check["observed"] if check["passed"] else check["description"]))
        table.add_row(mark, str(check["check"]), f"[dim]{check['asset']}[/]", told)
    return table
