"""``rpsync oms``: the embedded OMS's commands.

Belongs here: arguments, exit codes, what is printed. Does not: the work; each command imports what it needs as it runs.
"""

import os
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rpsync_assets.core.errors import SetupError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from rpsync_assets.oms.import_sql import Basis
    from rpsync_assets.settings import Settings

oms = typer.Typer(help="The embedded OMS: its API, its imports, its books.", no_args_is_help=True)


@oms.command()
def serve(
    host: Annotated[str, typer.Option("--host", help="Other machines are served only if you name an address")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one and says which")] = 8080,
) -> None:
    """Serve the Update Inventory API until Ctrl-C; what was asked for by then is finished and answered."""
    import uvicorn  # noqa: PLC0415

    from rpsync_assets.oms.api import build_app  # noqa: PLC0415
    from rpsync_assets.oms.tokens import read_tokens  # noqa: PLC0415
    from rpsync_assets.resources.databases import WAIT_FOR_WRITER_SECONDS  # noqa: PLC0415

    settings, engine = _embedded_oms()
    api = build_app(engine, read_tokens(settings.secrets.api_tokens))
    # An access log says nothing that the ledger does not; a request that waits for the database may finish.
    patience = WAIT_FOR_WRITER_SECONDS + 5
    uvicorn.run(api, host=host, port=port, access_log=False, server_header=False, timeout_graceful_shutdown=patience)


@oms.command()
def token(name: Annotated[str, typer.Argument(help="The client's name, such as till-7; the ledger shows it")]) -> None:
    """Make a token for a client of the API. It is shown once; the server only ever knows its SHA-256."""
    from rpsync_assets.oms.tokens import SETTING, new_token  # noqa: PLC0415

    fresh, pair = new_token(name)
    typer.echo(f"token, for the client alone:       {fresh}")
    typer.echo(f"pair, to add to {SETTING}: {pair}")


@oms.command()
def verify() -> None:
    """Compare every count of the embedded OMS with what its ledger sums to."""
    from rpsync_assets.oms import ledger  # noqa: PLC0415

    _, engine = _embedded_oms()
    with engine.begin() as connection:
        verified = ledger.verify(connection)
    for found in verified.disagreements:
        typer.echo(f"{found.table} {found.key}: {found.column} is {found.stands}, the ledger sums to {found.ledger}")
    typer.echo(
        f"{verified.items:,} inventory items, {verified.ledger_rows:,} ledger rows,"
        f" {len(verified.disagreements):,} disagreements"
    )
    if verified.disagreements:
        raise typer.Exit(1)


class ImportAs(StrEnum):
    """What a CSV is to the embedded OMS."""

    RESET = "reset"
    EXACT_QOH = "exact-qoh"
    EXACT_ATP = "exact-atp"
    VARIANCE = "variance"


@oms.command(name="import")
def import_file(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="A CSV as the OMS takes them")],
    kind: Annotated[ImportAs, typer.Option("--as", help="Counts as of their snapshot, exact counts, or deductions")],
) -> None:
    """Import a CSV into the embedded OMS; rows that failed are written beside it, each with its reason."""
    from rpsync_assets.oms.imports import import_reset, import_variance  # noqa: PLC0415

    _, engine = _embedded_oms()
    now, content, folder = datetime.now(UTC), file.read_bytes(), file.resolve().parent
    if kind is ImportAs.VARIANCE:
        done = import_variance(engine, file.name, content, now, errors=folder)
    else:
        bases: dict[ImportAs, Basis] = {ImportAs.EXACT_QOH: "exact_qoh", ImportAs.EXACT_ATP: "exact_atp"}
        done = import_reset(engine, file.name, content, now, basis=bases.get(kind, "snapshot"), errors=folder)
    again = "; it had been imported already, nothing was done" if done.already else ""
    typer.echo(f"{file.name}: {done.total:,} rows, {done.failed:,} failed{again}")
    if done.failed:
        raise typer.Exit(1)


def _embedded_oms() -> "tuple[Settings, Engine]":
    """The settings, and the database of our own OMS; HotWax's is never written to."""
    from rpsync_assets.resources.databases import open_engine  # noqa: PLC0415
    from rpsync_assets.settings import load_settings  # noqa: PLC0415

    settings = load_settings(os.environ, Path.cwd())
    if settings.oms.kind != "embedded":
        raise SetupError(
            f"[oms] kind is {settings.oms.kind}, and this command works on the embedded OMS only",
            'Use HotWax\'s own API and pages, or name settings with kind = "embedded" in RPSYNC_CONFIG',
        )
    return settings, open_engine(settings.oms_database_url)
