"""Tries passwords against hashes that are made to be slow, for HAProxy, which must not wait for them itself.

A line of HAProxy is `HASH PASSWORD-IN-HEX`; the answer is `yes`, `no` or `busy`. No user is known here and nothing kept. The
system's crypt(3) does the work, in a thread and without Python's lock, one hash at a time, so that guesses take one
processor at most.
"""

import asyncio
import ctypes
import hmac
import logging
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path

LONGEST_LINE = 4096
MOST_WAITING = 64
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", "libcrypt.so")
_DATA_SIZE = 1 << 17
"""Bytes of `struct crypt_data`, which has 32 kB in libxcrypt and 128 kB in glibc."""

_log = logging.getLogger(__name__)


class SlowHashes:
    """Answers HAProxy's questions."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="crypt")
        self._waiting = 0

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answers the one question of a connection."""
        try:
            line = await reader.readline()
            writer.write(await self._verdict(line) + b"\n")
            await writer.drain()
        except (ValueError, ConnectionError) as error:
            _log.debug("a question about a password was not understood: %s", type(error).__name__)
        finally:
            writer.close()

    async def _verdict(self, line: bytes) -> bytes:
        hashed, _, digits = line.strip().partition(b" ")
        password = bytes.fromhex(digits.decode("ascii"))
        if self._waiting >= MOST_WAITING:
            return b"busy"
        self._waiting += 1
        try:
            fits = await asyncio.get_running_loop().run_in_executor(self._thread, fits_hash, hashed, password)
        finally:
            self._waiting -= 1
        return b"yes" if fits else b"no"

    def close(self) -> None:
        """Forgets the questions that nobody has looked at yet."""
        self._thread.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def answering(socket: Path) -> AsyncIterator[None]:
    """Answers on the Unix socket, which nobody else may use."""
    hashes = SlowHashes()
    socket.parent.mkdir(parents=True, exist_ok=True)
    socket.unlink(missing_ok=True)
    mask = os.umask(0o177)
    try:
        server = await asyncio.start_unix_server(hashes.answer, socket, limit=LONGEST_LINE)
    finally:
        os.umask(mask)
    try:
        yield
    finally:
        server.close()
        hashes.close()


def fits_hash(hashed: bytes, password: bytes) -> bool:
    """Whether crypt(3) makes the hash of the password; no if it does not know such hashes."""
    if not hashed or b"\0" in password:
        return False
    data = ctypes.create_string_buffer(_DATA_SIZE)
    found = _crypt()(password, hashed, data)
    # What begins with a star says that something failed.
    return bool(found) and not found.startswith(b"*") and hmac.compare_digest(found, hashed)


def _crypt() -> "ctypes._NamedFuncPointer":
    for name in _LIBRARIES:
        try:
            function = ctypes.CDLL(name).crypt_r
        except (OSError, AttributeError):
            continue
        function.restype = ctypes.c_char_p
        function.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)
        return function
    raise OSError("there is no libcrypt")
