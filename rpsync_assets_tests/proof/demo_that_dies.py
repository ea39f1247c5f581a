"""``rpsync demo``, the real process, with SIGKILL from within at one boundary of its work; run by ``test_killed_days``.

Usage: ``demo_that_dies.py <boundary> <before|after> <word> ARGUMENTS...``: the process dies before or after the first
call of the boundary whose arguments name the word; ``-`` for a boundary: it does not.
"""

import importlib
import os
import signal
import sys
from functools import wraps

BOUNDARIES = {
    "upload": "rpsync_assets.resources.sftp_session:SftpSession.upload",
    "rename": "rpsync_assets.resources.sftp_session:SftpSession._rename",
    "take": "rpsync_assets.resources.state:State.take",
    "mark": "rpsync_assets.resources.state:State.mark_delivered",
    "accept": "rpsync_assets.resources.state:State.accept",
    "settle": "rpsync_assets.resources.state:State.settle",
    "table": "rpsync_assets.resources.tables:Tables.write",
    "begin import": "rpsync_assets.oms.imports:open_log",
    "end import": "rpsync_assets.oms.imports:close_log",
    "archive": "rpsync_assets.oms.inbox:_move",
    "write down": "rpsync_assets.resources.publications:Publications.write",
    "publish": "rpsync_assets.resources.shopify:ShopSession.send",
    "settle publication": "rpsync_assets.resources.publications:Publications.settle",
    "baselines": "rpsync_assets.resources.publications:Publications.move",
    "compared": "rpsync_assets.resources.publications:Publications.compared",
}


def die_at(boundary: str, when: str, word: str) -> None:
    """Put SIGKILL before or after a boundary."""
    module, _, path = BOUNDARIES[boundary].partition(":")
    owner = importlib.import_module(module)
    *classes, name = path.split(".")
    for one in classes:
        owner = getattr(owner, one)
    real = getattr(owner, name)

    @wraps(real)
    def deadly(*given: object, **named: object) -> object:
        meant = word in repr((given, named))
        if meant and when == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if meant:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    setattr(owner, name, deadly)


def main() -> None:
    """Run the demo."""
    boundary, when, word, *arguments = sys.argv[1:]
    if boundary != "-":
        die_at(boundary, when, word)
    sys.argv = ["rpsync", *arguments]
    from rpsync_assets.cli import main as rpsync  # noqa: PLC0415  as the command itself starts

    rpsync()


if __name__ == "__main__":
    main()
