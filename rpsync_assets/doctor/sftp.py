"""The SFTP server: login, folders, rights.

Belongs here: looks at the folders of the settings. Does not: sessions and host keys (``resources/sftp``).

This is the one place where the doctor writes: ``.rpsync-doctor-<uuid>.part``, renamed and removed again. It never ends
in ``.csv``, so no import picks it up.
"""

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

from rpsync_assets.core.errors import SetupError
from rpsync_assets.doctor.checkup import PATIENCE_SECONDS, Checkup, Doubt
from rpsync_assets.resources.sftp import Sftp
from rpsync_assets.resources.sftp_session import SftpSession

MOST_OFF_SECONDS = 300
LOGIN = "SFTP server"


def look_at_sftp(checkup: Checkup, door: Sftp, *, hotwax: bool) -> None:
    """Look at everything on one session.

    Args:
        checkup: gets the lines.
        door: the server.
        hotwax: whether HotWax reads it; the embedded OMS makes its own archive/ and error/.
    """
    door = replace(door, timeout_seconds=min(door.timeout_seconds, PATIENCE_SECONDS))
    opened: list[SftpSession] = []
    with ExitStack() as stack:

        def log_in() -> str:
            opened.append(stack.enter_context(door.session()))
            return f"{door.username}@{door.host}:{door.port}, host key known, logged in"

        checkup.look(LOGIN, log_in, ["secret: SFTP login"])
        checkup.look("SFTP incoming", lambda: _readable(opened[0], door.incoming), [LOGIN])
        for name, folder in (
            ("reset_inventory", door.reset_inventory),
            ("inventory_variance", door.inventory_variance),
        ):
            checkup.look(f"SFTP {name}", partial(_usable, opened, folder), [LOGIN])
            if hotwax:
                checkup.look(f"SFTP {name} archive and error", partial(_beside, opened, folder), [f"SFTP {name}"])


def _readable(session: SftpSession, folder: str) -> str:
    return f"{folder}, {len(session.list(folder))} files"


def _usable(opened: list[SftpSession], folder: str) -> str | Doubt:
    files = len(opened[0].list(folder))
    made_at = opened[0].rehearse(folder)
    off = (made_at - datetime.now(UTC)).total_seconds()
    if abs(off) > MOST_OFF_SECONDS:
        return Doubt(f"{folder} works, but the server's clock is {off:+.0f} s off ours", "Set both clocks by NTP")
    return f"{folder}, {files} files; a temporary file was written, renamed and removed"


def _beside(opened: list[SftpSession], folder: str) -> str:
    for name in ("archive", "error"):
        try:
            opened[0].list(f"{folder}/{name}")
        except SetupError as error:
            raise SetupError(
                error.culprit, f"Let HotWax's owner make or open {folder}/{name}: receipts lie there"
            ) from error
    return f"{folder}/archive and {folder}/error"
