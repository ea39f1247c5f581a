"""``rpsync``: the commands.

Belongs here: arguments, exit codes and one-line errors. Does not: the work; each command imports what it needs when it
runs, so that a small command does not wait for Dagster.
"""

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import asdict
from datetime import date, datetime
from pathlib import Path
from typing import Annotated

import typer

from rpsync_assets import links
from rpsync_assets.core.errors import RpsyncError
from rpsync_assets.oms.commands import oms

app = typer.Typer(
    name="rpsync",
    help="Inventory synchronization between Retail Pro, HotWax and Shopify.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

app.add_typer(oms, name="oms")

reports = typer.Typer(help="The daily reports, and the story of any number, in a browser.", no_args_is_help=True)
app.add_typer(reports, name="reports")

SizeOption = Annotated[
    str, typer.Option("--size", help="tiny, small, full (300 MB) or season (over 200,000 kept rows)")
]
StoresOption = Annotated[str, typer.Option("--stores", help="How many of the sandbox's stores, or which: US,AU,SV")]
DateOption = Annotated[
    str | None, typer.Option("--date", help="Business date, YYYY-MM-DD; each store's today if left out")
]
SeedOption = Annotated[int, typer.Option("--seed", help="The same seed makes the same world")]
DataDirOption = Annotated[
    Path | None, typer.Option("--data-dir", help="Where everything is kept; RPSYNC_DATA_DIR or data/<size>-<seed>")
]


@app.callback()
def _private() -> None:
    """Inventory synchronization between Retail Pro, HotWax and Shopify."""
    # What libraries write in our name (SQLite, DuckDB, Dagster's logs) is as private as what we write.
    os.umask(0o077)


@app.command()
def demo(
    size: SizeOption = "small",
    stores: StoresOption = "2",
    day: DateOption = None,
    seed: SeedOption = 7,
    data_dir: DataDirOption = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the summary there")] = None,
) -> None:
    """Run the whole day of each store in the sandbox, and show what came of it."""
    from rich.console import Console  # noqa: PLC0415

    from rpsync_assets.sandbox.demo import run_day  # noqa: PLC0415
    from rpsync_assets.sandbox.environment import running  # noqa: PLC0415
    from rpsync_assets.sandbox.screen import Screen  # noqa: PLC0415
    from rpsync_assets.sandbox.sizes import size_named  # noqa: PLC0415
    from rpsync_assets.sandbox.stores import choose  # noqa: PLC0415

    if json_path is not None and not json_path.resolve().parent.is_dir():
        raise typer.BadParameter(f"there is no folder {json_path.resolve().parent} to write {json_path.name} into")
    screen = Screen(Console(highlight=False))
    chosen = choose(stores)
    folder = _data_dir(data_dir, size, seed)
    with screen.listening(), running(folder, size_named(size), seed, chosen, _date(day)) as environment:
        summary = run_day(environment, [store.store_id for store in chosen], screen.on_step)
        screen.show(summary, environment)
        if json_path is not None:
            json_path.write_text(json.dumps(summary.as_json(environment), indent=2), "utf-8")
    if not summary.held:
        raise typer.Exit(1)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def ui(context: typer.Context, size: SizeOption = "small", stores: StoresOption = "2") -> None:
    """Run the Dagster UI and its daemon, on your systems if RPSYNC_CONFIG is set, else on the sandbox.

    Further arguments go to ``dagster dev``. What Dagster remembers lies in the data folder, or in DAGSTER_HOME. The
    daily reports are served beside it, on this machine only.
    """
    from rpsync_assets.report.serving import serving  # noqa: PLC0415
    from rpsync_assets.sandbox.environment import dagster_home, running  # noqa: PLC0415
    from rpsync_assets.sandbox.sizes import size_named  # noqa: PLC0415
    from rpsync_assets.sandbox.stores import choose  # noqa: PLC0415
    from rpsync_assets.settings import CONFIG_VARIABLE, REPORTS_VARIABLE, load_settings  # noqa: PLC0415

    dagster = [sys.executable, "-m", "dagster", "dev", "-m", "rpsync_assets.definitions", "-h", "127.0.0.1"]
    command = [*dagster, *context.args]
    if CONFIG_VARIABLE in os.environ:
        settings = load_settings(os.environ, Path.cwd())
        home = os.environ.get("DAGSTER_HOME") or str(dagster_home(settings.data_dir))
        with serving(settings, settings.reports_url) as url:
            code = _run_ui(command, {"DAGSTER_HOME": home}, url)
    else:
        with running(_data_dir(None, size, 7), size_named(size), 7, choose(stores)) as environment:
            settings = load_settings({**os.environ, **environment.variables}, Path.cwd())
            with serving(settings, os.environ.get(REPORTS_VARIABLE)) as url:
                code = _run_ui(command, environment.variables, url)
    raise typer.Exit(code)


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True, "allow_interspersed_args": False}
)
def sandbox(
    context: typer.Context,
    size: SizeOption = "small",
    stores: StoresOption = "2",
    day: DateOption = None,
    seed: SeedOption = 7,
    data_dir: DataDirOption = None,
) -> None:
    """Serve the sandbox and run a command in it: rpsync sandbox dagster dev. Without a command: until Ctrl-C."""
    from rpsync_assets.sandbox.environment import running  # noqa: PLC0415
    from rpsync_assets.sandbox.sizes import size_named  # noqa: PLC0415
    from rpsync_assets.sandbox.stores import choose  # noqa: PLC0415

    folder = _data_dir(data_dir, size, seed)
    with running(folder, size_named(size), seed, choose(stores), _date(day)) as environment:
        for name, morning in environment.mornings.items():
            typer.echo(f"{name}: {morning.file_name} for {morning.business_date}, {morning.file_bytes:,} bytes")
        typer.echo(f"settings: {environment.variables['RPSYNC_CONFIG']}")
        if not context.args:
            typer.echo("serving; Ctrl-C ends it")
            signal.sigwait({signal.SIGINT, signal.SIGTERM})
            return
        code = _run_until_told_to_end(context.args, environment.variables)
    raise typer.Exit(code)


@app.command()
def doctor(
    store: Annotated[str | None, typer.Option("--store", help="Only this product store")] = None,
    json_path: Annotated[Path | None, typer.Option("--json", help="Write the lines there")] = None,
) -> None:
    """Look at a set-up from end to end, changing nothing. Exit code 0: well, 1: something fails, 2: could not look."""
    from rich.console import Console  # noqa: PLC0415

    from rpsync_assets.doctor.checkup import Checkup  # noqa: PLC0415
    from rpsync_assets.doctor.examination import PROMISE, examine, show  # noqa: PLC0415
    from rpsync_assets.settings import load_settings  # noqa: PLC0415

    # What is wrong is told in lines; libraries that log the same beside them only confuse.
    logging.disable(logging.CRITICAL)
    console = Console(highlight=False)
    try:
        settings = load_settings(os.environ, Path.cwd())
        stores = list(settings.stores) if store is None else [store]
        settings.store(stores[0])
    except RpsyncError as error:
        console.print(f"✘ settings: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from error
    console.print(PROMISE, markup=False, soft_wrap=True)
    checkup = examine(settings, stores, os.environ, Checkup(lambda line: show(console, line)))
    if json_path is not None:
        json_path.write_text(json.dumps([asdict(line) for line in checkup.lines], indent=2), "utf-8")
    if not checkup.well:
        raise typer.Exit(1)


@app.command()
def explain(
    store: Annotated[str, typer.Option("--store", help="The product store")],
    day: Annotated[str, typer.Option("--date", help="The business date, YYYY-MM-DD")],
    facility: Annotated[str, typer.Option("--facility", help="The OMS's facility id, or Retail Pro's store code")],
    upc: Annotated[str, typer.Option("--upc", help="The UPC, with or without zeros before it, or the SKU")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,  # noqa: FBT002  an option
) -> None:
    """Why a number is what it is: from the line of Retail Pro's file to Shopify. Reads only."""
    from rpsync_assets.explain.explain import explain as trace_of  # noqa: PLC0415
    from rpsync_assets.explain.sources import opened  # noqa: PLC0415
    from rpsync_assets.settings import load_settings  # noqa: PLC0415

    asked = _date(day)
    assert asked is not None  # noqa: S101  the option is required
    with opened(load_settings(os.environ, Path.cwd()), store, asked) as sources:
        trace = trace_of(sources, facility, upc)
    typer.echo(json.dumps(trace.as_json(), indent=2, default=str) if as_json else trace.as_text())


@app.command()
def undo(
    store: Annotated[str, typer.Option("--store", help="The product store")],
    day: Annotated[str, typer.Option("--date", help="The business date, YYYY-MM-DD")],
    folder: Annotated[Path, typer.Option("--into", help="The folder to write the file into", file_okay=False)] = Path(),
) -> None:
    """Write the variance file that would take a day's reset and variance back out; it is never delivered."""
    from rpsync_assets.settings import load_settings  # noqa: PLC0415
    from rpsync_assets.undo import prepare_undo  # noqa: PLC0415

    asked = _date(day)
    assert asked is not None  # noqa: S101  the option is required
    for line in prepare_undo(load_settings(os.environ, Path.cwd()), store, asked, folder.resolve()).lines:
        typer.echo(line)


@app.command(name="dry-run")
def dry_run(
    store: Annotated[str, typer.Option("--store", help="The product store")],
    day: Annotated[str, typer.Option("--date", help="The business date, YYYY-MM-DD")],
    as_json: Annotated[bool, typer.Option("--json", help="For machines")] = False,  # noqa: FBT002  an option
) -> None:
    """What a day would change at the OMS and at Shopify, by how much. Delivers and sends nothing."""
    import dagster as dg  # noqa: PLC0415

    from rpsync_assets.dry_run import as_text  # noqa: PLC0415
    from rpsync_assets.dry_run import dry_run as said_of  # noqa: PLC0415
    from rpsync_assets.partitions import Slot  # noqa: PLC0415
    from rpsync_assets.sandbox.environment import dagster_home  # noqa: PLC0415
    from rpsync_assets.settings import load_settings  # noqa: PLC0415

    asked = _date(day)
    assert asked is not None  # noqa: S101  the option is required
    settings = load_settings(os.environ, Path.cwd())
    settings.store(store)
    home = os.environ.setdefault("DAGSTER_HOME", str(dagster_home(settings.data_dir)))
    with dg.DagsterInstance.from_config(home) as instance:
        said = said_of(settings, Slot(asked, store), instance)
    typer.echo(json.dumps(said, indent=2, default=str) if as_json else as_text(said))


@reports.command(name="serve")
def serve_reports(
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one and says which")] = (
        links.PORT
    ),
) -> None:
    """Serve the daily reports and the search page until Ctrl-C, on this machine only; nothing is changed.

    A proxy in front of it is named as reports_url in the settings; its own name for this machine is answered, too.
    """
    from rpsync_assets.report.serving import serve  # noqa: PLC0415
    from rpsync_assets.settings import load_settings  # noqa: PLC0415

    serve(load_settings(os.environ, Path.cwd()), port, lambda url: typer.echo(f"daily reports: {url}"))


def _run_ui(command: list[str], variables: Mapping[str, str], url: str) -> int:
    """Run Dagster, which tells its readers where the pages are."""
    from rpsync_assets.settings import REPORTS_VARIABLE  # noqa: PLC0415

    typer.echo(f"daily reports: {url}    why is any SKU at its number: {url}/search")
    return _run_until_told_to_end(command, {**variables, REPORTS_VARIABLE: url})


def _run_until_told_to_end(command: list[str], variables: Mapping[str, str]) -> int:
    """Run a command in our environment; when we are told to end, so is it, and we wait for it."""
    with subprocess.Popen(command, env={**os.environ, **variables}) as process:  # noqa: S603  the user's own command
        # Ctrl-C reaches the command by itself, from the terminal; a plain kill reaches only us.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, lambda _number, _frame: process.terminate())
        return process.wait()


def _data_dir(given: Path | None, size: str, seed: int) -> Path:
    """The folder of a world: as told, else beside the worlds of other sizes and seeds."""
    if given is not None:
        return given
    told = os.environ.get("RPSYNC_DATA_DIR")
    return Path(told) if told else Path("data") / f"{size}-{seed}"


def _date(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007  a date, no moment
    except ValueError:
        raise typer.BadParameter(f"'{text}' is not a date such as 2026-03-10") from None


def main() -> None:
    """Run a command; our own errors are one line, not a traceback."""
    try:
        app()
    except RpsyncError as error:
        typer.secho(f"✘ {error}", fg=typer.colors.RED, err=True)
        sys.exit(1)
