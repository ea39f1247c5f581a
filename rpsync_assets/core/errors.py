"""What can go wrong, as a small tree. Messages name the culprit and the mend; the class says whether a rerun helps.

    RpsyncError
    ├── PermanentError        the same run again fails the same way until a person mends something
    │   ├── BadFileError      what Retail Pro sent cannot be used
    │   ├── HeldError         a guard refuses to deliver; a person may look and release
    │   └── SetupError        settings, credentials, host keys, folders or tables are wrong
    └── TransientError        nothing is wrong with the data: the same run again later may pass
        ├── NotYetError       what we wait for is not there yet (a file, an import); no run waits for it
        │   └── BusyError     somebody holds it at this moment; a minute later it may be free
        └── UnreachableError  a server did not answer or hung up

Belongs here: exception classes only. Does not: Dagster's ``Failure``, which ``failures.py`` makes of these.
Messages never contain secrets: raise with names of settings, not with their values.
"""


class RpsyncError(Exception):
    """Base of everything that this product raises on purpose.

    Args:
        culprit: what was found, where, with names and numbers a shop person can look up.
        mend: what to do about it.
    """

    def __init__(self, culprit: str, mend: str) -> None:
        super().__init__(f"{culprit.rstrip('. ')}. {mend.rstrip('. ')}.")
        self.culprit = culprit
        self.mend = mend


class PermanentError(RpsyncError):
    """A rerun does not help until a person has mended something."""


class BadFileError(PermanentError):
    """The file that Retail Pro sent cannot be used as the day's counts."""


class HeldError(PermanentError):
    """A guard refused to deliver. The verdict says number, threshold and whether a person may release it."""


class SetupError(PermanentError):
    """Settings, credentials, host keys, folders or tables are not as the product needs them."""


class TransientError(RpsyncError):
    """The same run again, later, may pass."""


class NotYetError(TransientError):
    """What we wait for has not arrived or is still being written."""


class BusyError(NotYetError):
    """Another run or a writer holds it at this moment; minutes decide, not hours."""


class UnreachableError(TransientError):
    """A server did not answer, refused for now, or the connection was lost."""
