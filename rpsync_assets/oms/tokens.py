"""Who may call the Update Inventory API: names, and what is known of their tokens.

Belongs here: reading RPSYNC_API_TOKENS, making a token, telling whose one is. Does not: HTTP (``oms/api``).

The server knows only the SHA-256 of each token. That is enough for random tokens of 256 bits, which nobody can guess;
it would not be for passwords.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence

from pydantic import SecretStr

from rpsync_assets.core.errors import SetupError

SETTING = "RPSYNC_API_TOKENS"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,64}")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_MEND = f"Make one with 'rpsync oms token NAME' and put its name:sha256 pair into {SETTING}, pairs separated by commas"


class Tokens:
    """The clients of the API. A client may have two tokens, so that one can be replaced while the other still works."""

    def __init__(self, pairs: Sequence[tuple[str, bytes]]) -> None:
        self._pairs = tuple(pairs)

    def client_of(self, token: bytes) -> str | None:
        """Whose token it is; every pair is compared, whichever one it is, so that the time tells nothing."""
        digest = hashlib.sha256(token).digest()
        client = None
        for name, known in self._pairs:
            if hmac.compare_digest(digest, known):
                client = name
        return client


def read_tokens(setting: SecretStr | None) -> Tokens:
    """The clients of a setting.

    Raises:
        SetupError: there are none, or a pair is not ``name:sha256``. The message never shows what stands there: it
            could be a token itself.
    """
    texts = setting.get_secret_value().split(",") if setting is not None else []
    pairs: dict[bytes, str] = {}
    for number, text in enumerate(texts, start=1):
        if not text.strip():
            continue
        name, _, digest = (part.strip() for part in text.partition(":"))
        if not _NAME.fullmatch(name) or not _DIGEST.fullmatch(digest.lower()):
            raise SetupError(f"Pair {number} of {SETTING} is not a name and a SHA-256, as in till-1:9f86d0...", _MEND)
        if bytes.fromhex(digest) in pairs:
            raise SetupError(f"Pair {number} of {SETTING} is a token that an earlier pair has, too", _MEND)
        pairs[bytes.fromhex(digest)] = name
    if not pairs:
        raise SetupError(f"{SETTING} names nobody who may call the API", _MEND)
    return Tokens([(name, digest) for digest, name in pairs.items()])


def new_token(name: str) -> tuple[str, str]:
    """A fresh random token, and the pair that goes into the setting.

    Raises:
        SetupError: the name cannot stand in a pair.
    """
    if not _NAME.fullmatch(name):
        raise SetupError(
            f"'{name}' cannot name a client", "Use letters, digits, dots, dashes and underscores, up to 64"
        )
    token = secrets.token_urlsafe(32)
    return token, f"{name}:{hashlib.sha256(token.encode()).hexdigest()}"
