"""Downloads that are complete or leave nothing, and that do not wait long without a network."""

from __future__ import annotations

import errno
import os
import queue
import shutil
import socket
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

# How long to wait for a server to answer, and for a stalled download.
_CONNECT_SECONDS = 5.0
_STALL_SECONDS = 20.0


class DataError(RuntimeError):
    """Data are missing, damaged or out of reach; the message names the file and the cure."""


class Offline(DataError):
    """The data set is not on disk and its server does not answer."""


def download(
    fetch: Callable[[Path], object], urls: list[str], produced: Path, destination: Path
) -> None:
    """Download into a temporary folder, then move the result to its place.

    Args:
        fetch: downloads into the folder that it is given.
        urls: the servers that it may use.
        produced: path of the result in that folder.
        destination: where the result is moved when it is complete.

    Raises:
        Offline: no server answers, or the download breaks off.
        DataError: the destination cannot be written.
    """
    if not reachable(urls):
        raise Offline(
            f"{destination} does not exist and {urls[0]} does not answer. Connect to the "
            "network once, or set CL_DATA to a folder that has the data."
        )
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(prefix=".download-", dir=destination.parent))
    except OSError as error:
        raise DataError(
            f"{destination.parent} cannot be written ({error.strerror}). "
            "Set CL_DATA to a folder that can."
        ) from error
    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(_STALL_SECONDS)
    try:
        fetch(part)
        try:
            os.replace(part / produced, destination)
        except OSError:
            if not destination.exists():  # it does when somebody else finished the same download
                raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EACCES, errno.EROFS):
            raise DataError(f"{destination} cannot be written ({error.strerror}).") from error
        reason = " ".join(str(error).split())
        raise Offline(
            f"the download to {destination} broke off ({reason}). Try again, or set CL_DATA to a "
            "folder that has the data."
        ) from error
    finally:
        socket.setdefaulttimeout(timeout)
        shutil.rmtree(part, ignore_errors=True)


def reachable(urls: list[str]) -> bool:
    """Whether one of the servers at `urls` answers within five seconds.

    Each is asked in a thread, because looking up a name can hang.
    """
    answers: queue.Queue[bool] = queue.Queue()

    def ask(url: str) -> None:
        try:
            urllib.request.urlopen(url, timeout=_CONNECT_SECONDS).close()
            answers.put(True)
        except urllib.error.HTTPError:
            answers.put(True)  # a folder without an index, but a server
        except OSError:
            answers.put(False)

    for url in urls:
        threading.Thread(target=ask, args=(url,), daemon=True).start()
    deadline = time.monotonic() + _CONNECT_SECONDS
    try:
        return any(answers.get(timeout=max(0, deadline - time.monotonic())) for _ in urls)
    except queue.Empty:
        return False
