"""How bytes travel over SFTP: many requests under way, written with paramiko's packets.

Belongs here: packets, and what paramiko calls its private names. Does not: files, folders or what may be done with them
(``resources/sftp_session``).

paramiko's ``getfo`` was measured 2.5 times slower, because it asks for 32 KB at a time whatever the server offers; its
``putfo`` never looks at the answers to its last hundred writes; its listing fails as a whole on one name that is not
UTF-8.
"""

from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import paramiko
from paramiko.sftp import CMD_CLOSE, CMD_EXTENDED, CMD_OPENDIR, CMD_READ, CMD_READDIR, CMD_STATUS, CMD_WRITE, int64

SMALLEST_BLOCK = 32_768
"""Every server takes and answers requests of this size."""
LARGEST_BLOCK = 262_144
UNDER_WAY_BYTES = 64 * SMALLEST_BLOCK
"""Asked for and not answered yet, as much as OpenSSH's own client does; with more, some servers hang."""


def block_sizes(sftp: paramiko.SFTPClient) -> tuple[int, int]:
    """How much the server gives, and takes, at a time, if it says so as OpenSSH does."""
    return _Requests(sftp).limits()


def entries(sftp: paramiko.SFTPClient, folder: str) -> Iterator[tuple[str, paramiko.SFTPAttributes]]:
    """Everything in a folder: name and attributes."""
    requests = _Requests(sftp)
    handle = requests.answer(requests.ask(CMD_OPENDIR, folder)).get_binary()
    try:
        while True:
            answer = requests.answer(requests.ask(CMD_READDIR, handle))
            for _ in range(answer.get_int()):
                name, _long = answer.get_binary(), answer.get_binary()
                yield name.decode("utf-8", "surrogateescape"), _attributes(answer)
    except EOFError:
        requests.answer(requests.ask(CMD_CLOSE, handle))


def read_blocks(sftp: paramiko.SFTPClient, path: str, start: int, end: int, most: int) -> Iterator[bytes]:
    """The bytes of a file in order, fewer if it ends earlier; at most so many are asked for at a time."""
    with sftp.open(path, "rb") as handle:
        requests = _Requests(sftp)
        under_way: deque[tuple[int, int, int]] = deque()

        def ask(offset: int, size: int) -> tuple[int, int, int]:
            return requests.ask(CMD_READ, handle.handle, int64(offset), size), offset, size

        asked = start
        while under_way or asked < end:
            while asked < end and len(under_way) * most < UNDER_WAY_BYTES:
                under_way.append(ask(asked, min(most, end - asked)))
                asked += under_way[-1][2]
            number, offset, size = under_way.popleft()
            try:
                block = requests.answer(number).get_string()
            except EOFError:
                return
            if not 0 < len(block) <= size:
                raise paramiko.SFTPError(f"it answered a request for {size} bytes with {len(block)}")
            yield block
            if len(block) < size:
                # The protocol lets a server give less than it was asked for.
                under_way.appendleft(ask(offset + len(block), size - len(block)))


def write_blocks(
    sftp: paramiko.SFTPClient, path: str, content: bytes, most: int, tell: Callable[[int, int], None]
) -> None:
    """Write a file; ``tell`` hears of every block that the server has taken."""
    with sftp.open(path, "wb") as handle:
        requests = _Requests(sftp)
        under_way: deque[tuple[int, int]] = deque()
        asked = 0
        while under_way or asked < len(content):
            while asked < len(content) and len(under_way) * most < UNDER_WAY_BYTES:
                block = content[asked : asked + most]
                number = requests.ask(CMD_WRITE, handle.handle, int64(asked), block)
                asked += len(block)
                under_way.append((number, asked))
            number, done = under_way.popleft()
            requests.answer(number)
            tell(done, len(content))


class _Requests:
    """Requests with many under way, whose answers are taken in any order.

    The private names are paramiko's; ``constraints.txt`` and the tests on real servers hold them still.
    """

    def __init__(self, sftp: paramiko.SFTPClient) -> None:
        self._sftp: Any = sftp
        self._arrived: dict[int, tuple[int, paramiko.Message]] = {}

    def ask(self, kind: int, *values: object) -> int:
        """Send a request; its number is what the answer is asked for by."""
        return self._sftp._async_request(self, kind, *values)  # noqa: SLF001

    def answer(self, number: int) -> paramiko.Message:
        """Wait for the answer; a refusal is raised as paramiko does, the end of the file as ``EOFError``."""
        while number not in self._arrived:
            self._sftp._read_response()  # noqa: SLF001
        kind, message = self._arrived.pop(number)
        if kind == CMD_STATUS:
            self._sftp._convert_status(message)  # noqa: SLF001
        return message

    def limits(self) -> tuple[int, int]:
        """How much the server gives, and takes, at a time, if it says so as OpenSSH does."""
        try:
            answer = self.answer(self.ask(CMD_EXTENDED, "limits@openssh.com"))
        except OSError:
            return SMALLEST_BLOCK, SMALLEST_BLOCK
        _packet, read, write = answer.get_int64(), answer.get_int64(), answer.get_int64()
        # Zero: it has none, or does not tell.
        return min(read or SMALLEST_BLOCK, LARGEST_BLOCK), min(write or SMALLEST_BLOCK, LARGEST_BLOCK)

    def _async_response(self, kind: int, message: paramiko.Message, number: int) -> None:
        """Called by paramiko for each answer that arrives."""
        self._arrived[number] = (kind, message)


def _attributes(message: paramiko.Message) -> paramiko.SFTPAttributes:
    return paramiko.SFTPAttributes._from_msg(message)  # type: ignore[attr-defined]  # noqa: SLF001
