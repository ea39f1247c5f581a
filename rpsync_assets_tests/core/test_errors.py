"""Messages name the culprit and the mend; the class says whether a rerun helps."""

import pytest

from rpsync_assets.core import errors


@pytest.mark.parametrize(
    ("kind", "rerun_helps"),
    [
        (errors.BadFileError, False),
        (errors.HeldError, False),
        (errors.SetupError, False),
        (errors.NotYetError, True),
        (errors.UnreachableError, True),
    ],
)
def test_the_class_says_whether_a_rerun_helps(kind: type[errors.RpsyncError], rerun_helps: bool) -> None:
    assert issubclass(kind, errors.TransientError) is rerun_helps
    assert issubclass(kind, errors.PermanentError) is not rerun_helps


@pytest.mark.parametrize("culprit", ["The file is empty", "The file is empty.", "The file is empty. "])
def test_a_message_is_two_sentences_however_it_was_punctuated(culprit: str) -> None:
    error = errors.BadFileError(culprit, "Send it again.")
    assert str(error) == "The file is empty. Send it again."
    assert error.mend == "Send it again."
