"""The whole examination, and how it is shown.

Belongs here: the order of the looks, and the screen. Does not: the looks.
"""

from collections.abc import Mapping, Sequence
from contextlib import closing

from rich.console import Console
from rich.markup import escape

from rpsync_assets.doctor.checkup import Checkup, Line
from rpsync_assets.doctor.machine import look_at_machine, look_at_secrets
from rpsync_assets.doctor.oms import OmsLook
from rpsync_assets.doctor.sftp import look_at_sftp
from rpsync_assets.doctor.shopify import look_at_shop
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.settings import Settings

PROMISE = (
    "Changes nothing that lasts: the only thing written is a file .rpsync-doctor-<uuid>.part in each OMS folder,"
    " renamed and removed again."
)
_MARKS = {"ok": "[green]✔[/]", "failed": "[red]✘[/]", "warning": "[yellow]![/]", "not_looked_at": "[yellow]![/]"}


def examine(settings: Settings, stores: Sequence[str], environ: Mapping[str, str], checkup: Checkup) -> Checkup:
    """Look at everything that these stores need."""
    checkup.look("settings", lambda: f"valid; looking at {', '.join(stores)}")
    look_at_secrets(checkup, settings, stores)
    secrets = settings.secrets
    door = Sftp(
        **settings.sftp.model_dump(),
        password=secrets.sftp_password.get_secret_value() if secrets.sftp_password else None,
        key_file=secrets.sftp_key_file,
    )
    look_at_sftp(checkup, door, hotwax=settings.oms.kind == "hotwax")
    with closing(OmsLook(settings)) as oms:
        oms.look(checkup, stores)
        for store in stores:
            look_at_shop(checkup, settings, store, oms)
    look_at_machine(checkup, settings, stores, environ)
    return checkup


def show(console: Console, line: Line) -> None:
    """One line."""
    mend = f" → {line.mend}" if line.mend else ""
    console.print(f"{_MARKS[line.mark]} {escape(f'{line.name}: {line.seen}{mend}')}", soft_wrap=True)
