"""Who may call the API: names in the ledger, digests in the settings, tokens nowhere."""

import hashlib

import pytest
from pydantic import SecretStr

from rpsync_assets.core.errors import SetupError
from rpsync_assets.oms.tokens import new_token, read_tokens

DIGEST = hashlib.sha256(b"secret").hexdigest()


def test_a_fresh_token_is_its_clients_and_nobody_elses() -> None:
    tokens = [new_token(name) for name in ("till-7", "till-8")]
    known = read_tokens(SecretStr(",\n ".join(pair for _, pair in tokens)))
    assert [known.client_of(token.encode()) for token, _ in tokens] == ["till-7", "till-8"]
    assert known.client_of(tokens[0][0].encode() + b" ") is None
    assert known.client_of(b"") is None
    assert all(token not in pair for token, pair in tokens)


def test_a_client_may_have_a_new_token_while_the_old_one_still_works() -> None:
    (old, old_pair), (new, new_pair) = new_token("till-7"), new_token("till-7")
    known = read_tokens(SecretStr(f"{old_pair},{new_pair}"))
    assert known.client_of(old.encode()) == known.client_of(new.encode()) == "till-7"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (None, "RPSYNC_API_TOKENS names nobody"),
        ("", "RPSYNC_API_TOKENS names nobody"),
        (" , ", "RPSYNC_API_TOKENS names nobody"),
        ("my-token", "Pair 1 of RPSYNC_API_TOKENS is not"),
        ("till-7:my-token", "Pair 1 of RPSYNC_API_TOKENS is not"),
        (f"till-7:{DIGEST},till 8:{DIGEST}", "Pair 2 of RPSYNC_API_TOKENS is not"),
        (f"till-7:{DIGEST},:{DIGEST}", "Pair 2 of RPSYNC_API_TOKENS is not"),
        (f"till-7:{DIGEST[:-1]}", "Pair 1 of RPSYNC_API_TOKENS is not"),
        (f"till-7:{DIGEST},till-8:{DIGEST.upper()}", "Pair 2 of RPSYNC_API_TOKENS is a token that an earlier pair has"),
    ],
)
def test_a_setting_that_cannot_be_names_the_pair_and_the_mend_and_shows_nothing(setting: str | None, said: str) -> None:
    """What stands there by mistake may be a token."""
    with pytest.raises(SetupError) as error:
        read_tokens(None if setting is None else SecretStr(setting))
    assert said in str(error.value)
    assert "rpsync oms token NAME" in str(error.value)
    assert "my-token" not in str(error.value)
    assert DIGEST not in str(error.value).lower()


@pytest.mark.parametrize("name", ["", "till 7", "till,7", "till:7", "x" * 65, "till\n7"])
def test_a_name_that_could_not_stand_in_a_pair_is_refused(name: str) -> None:
    with pytest.raises(SetupError, match="cannot name a client"):
        new_token(name)
