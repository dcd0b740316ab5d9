"""Downloading published weights, by reference, into a local cache.

PATH                                      the file itself
hf://owner/repo[@revision]/file           through huggingface_hub: its cache, its offline mode
https://host/file#sha256=64 hex digits    through a cache of kerazoo's own, verified
"""

import http.client
import io
import ipaddress
import os
import re
import socket
import ssl
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import SplitResult, urlsplit

from kerazoo.errors import UserError
from kerazoo.files.cache import cache_folder
from kerazoo.files.reading import open_file
from kerazoo.files.text import printable
from kerazoo.files.writing import make_folder, sha256, sync_folder, write_error

HUB = re.compile(r"hf://(?P<repo>[^/@]+/[^/@]+)(@(?P<revision>[^/]+))?/(?P<file>.+)")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
BROKEN = (ConnectionError, TimeoutError, ssl.SSLError)
CHUNK = 1 << 20
TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as broken."""

WINDOW, SLOWEST = 60.0, 10_000
"""Bytes per second that an answer must have, over every so many seconds."""

LARGEST = 16 << 30
"""Bytes of the largest file that is fetched."""


def fetch(reference: str | Path) -> Path:
    """Return the local file of a reference; download it if it is not in the cache.

    What was fetched before needs no network. A download from an https address that breaks off
    goes on where it stopped in the next call; one from the hub goes on by itself while it can.

    Args:
        reference: a path, `hf://owner/repo/file` (`repo@revision` for another than the newest),
            or `https://...#sha256=...`; http is taken from this machine only.

    Raises:
        UserError: a malformed reference, no such file there, no network, an answer that is too slow, too
            large or from a place that the address should not lead to, another sha256 than the one asked
            for, or a cache that cannot be written.
    """
    kind, separator, _ = str(reference).partition("://")
    if not separator:
        return _existing_file(Path(reference))
    if kind == "hf":
        return _from_hub(str(reference))
    return _from_address(str(reference))


def _existing_file(path: Path) -> Path:
    with open_file(path):
        return path


# --- the hub -------------------------------------------------------------------------


def _from_hub(reference: str) -> Path:
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    match = HUB.fullmatch(reference)
    if not match:
        raise UserError(f"{reference} names no file on the hub", "write hf://owner/repo[@revision]/file")
    try:
        return Path(hf_hub_download(match["repo"], match["file"], revision=match["revision"]))
    except LocalEntryNotFoundError:
        message = f"{reference} was not fetched before and the hub cannot be reached"
        raise UserError(message, "check the network, HF_HUB_OFFLINE and HF_ENDPOINT") from None
    except HfHubHTTPError as error:
        raise UserError(f"{reference}: {_reason(error)}", "check owner, repository and file") from None
    except Exception as error:  # its HTTP client has a dozen kinds for a connection that breaks
        if isinstance(error, OSError) and error.errno:
            raise write_error(error.filename or "the hub's cache", error) from None
        raise UserError(f"{reference}: the transfer failed ({_reason(error)})", "try again") from None


# --- an address ----------------------------------------------------------------------


def _from_address(reference: str) -> Path:
    address, _, fragment = reference.partition("#")
    _parse_address(address)
    match = re.fullmatch(r"sha256=([0-9a-fA-F]{64})", fragment)
    if not match:
        raise UserError(f"{reference} does not tell its sha256", "write https://...#sha256=64 hex digits")
    wanted = match[1].lower()
    path = cache_folder() / "downloads" / wanted
    try:
        if not (path.is_file() and sha256(path) == wanted):
            make_folder(path.parent)
            _download_whole(address, path, wanted)
    except OSError as error:
        raise write_error(path, error) from None
    return path


def _parse_address(address: str) -> SplitResult:
    """Return the parts of an address of https, or of http on this machine."""
    try:
        parts = urlsplit(address)
        port = parts.port  # one that is no number is found out when it is asked for
        host = (parts.hostname or "").encode("idna")
    except ValueError as error:
        raise UserError(f"{address!r} is no address ({error})", "correct it") from None
    plain = parts.scheme == "http" and parts.hostname in LOOPBACK
    if not (parts.scheme == "https" or plain):
        raise UserError(f"{address} is neither a path nor hf:// nor https://", "give one of these")
    if not (host and port != 0 and re.fullmatch("[!-~]+", address)):
        raise UserError(f"{address!r} is no address", "correct it: a host, and %20 for a space and the like")
    return parts


def _download_whole(address: str, path: Path, wanted: str) -> None:
    """Download `path` and verify it; a partial download stays in a `.part` file."""
    from filelock import FileLock

    part = path.with_suffix(".part")
    with FileLock(path.with_suffix(".lock")):
        if path.is_file() and sha256(path) == wanted:  # another process was quicker
            return
        _download(address, part)
        digest = sha256(part)
        if digest != wanted:
            part.unlink()
            raise UserError(
                f"{address} has the sha256 {digest} and not {wanted}; it was removed",
                "check both: the file may have been replaced since",
            )
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(path)
        sync_folder(path.parent)


def _download(address: str, part: Path) -> None:
    """Append the missing bytes of the file at an address to `part`."""
    from kerazoo import __version__

    had = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": f"kerazoo/{__version__}"} | ({"Range": f"bytes={had}-"} if had else {})
    try:
        request = urllib.request.Request(address, headers=headers)
        opener = urllib.request.build_opener(_Http, _Https, _RedirectionGuard(address))
        with opener.open(request, timeout=TIMEOUT) as answer:
            had = had if answer.status == http.HTTPStatus.PARTIAL_CONTENT else 0
            with part.open("ab" if had else "wb") as file:
                _copy(answer, file, had, address)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return  # nothing is lacking
        raise UserError(f"{address}: the server answers {error.code} {error.reason}", "check it") from None
    except (urllib.error.URLError, http.client.HTTPException, *BROKEN) as error:
        message = f"{address}: the connection failed ({_reason(error)})"
        raise UserError(message, "check the network and try again; what arrived is kept") from None


class _RedirectionGuard(urllib.request.HTTPRedirectHandler):
    """Follows redirections that `check_redirection` allows."""

    def __init__(self, first: str):
        self.first = first

    def redirect_request(self, req, fp, code, msg, headers, newurl):
        fp.close()  # of an answer that says only where to go
        check_redirection(self.first, newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def check_redirection(first: str, following: str) -> None:
    """Refuse a redirection to a forbidden address.

    From https to https only; and from elsewhere neither to this machine nor into its private network,
    where an address may reach what a stranger cannot.

    Raises:
        UserError: it leads there.
    """
    source, target = _parse_address(first), _parse_address(following)
    message = f"{first} leads to {following}"
    if source.scheme == "https" and target.scheme != "https":
        raise UserError(f"{message}, which is not https", "find out where the file is now")
    if _is_private(target.hostname) and not _is_private(source.hostname):
        raise UserError(f"{message}, a private address", "give that address itself if you trust it")


def _is_private(host: str | None) -> bool:
    """Whether a host has a private address; False for unknown hosts."""
    try:
        addresses = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:  # perhaps a proxy knows it
        return False
    return not all(
        ipaddress.ip_address(str(address[4][0]).partition("%")[0]).is_global for address in addresses
    )


class _SpeedGuard(io.RawIOBase):
    """A socket's input that raises `TimeoutError` if data arrive too slowly."""

    def __init__(self, inner: Any):
        self.inner = inner
        self.since, self.arrived = time.monotonic(), 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count = self.inner.readinto(buffer)
        self.arrived += count
        passed = time.monotonic() - self.since
        if passed > WINDOW:
            if self.arrived < SLOWEST * passed:
                raise TimeoutError(f"{self.arrived} bytes in {passed:.0f} s")
            self.since, self.arrived = time.monotonic(), 0
        return count

    def close(self) -> None:
        self.inner.close()
        super().close()


class _GuardedResponse(http.client.HTTPResponse):
    """An HTTP response whose headers and content pass a `_SpeedGuard`."""

    def __init__(self, sock: socket.socket, *arguments: Any, **options: Any):
        super().__init__(sock, *arguments, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_SpeedGuard(sock.makefile("rb", buffering=0)))


class _GuardedHandler(urllib.request.AbstractHTTPHandler):
    def do_open(self, http_class, req, **options):
        def connection(*arguments, **keywords):
            http = http_class(*arguments, **keywords)
            http.response_class = _GuardedResponse
            return http

        return super().do_open(connection, req, **options)


class _Http(_GuardedHandler, urllib.request.HTTPHandler):
    pass


class _Https(_GuardedHandler, urllib.request.HTTPSHandler):
    pass


def _copy(answer: http.client.HTTPResponse, file: BinaryIO, had: int, address: str) -> None:
    total = None if answer.length is None else had + answer.length
    _refuse_larger(total or 0, address)
    for chunk in _with_progress(answer, had, total, address):
        _refuse_larger(file.tell() + len(chunk), address)
        file.write(chunk)
    if total is not None and file.tell() < total:
        raise ConnectionError(f"{file.tell()} of {total} bytes arrived")


def _refuse_larger(size: int, address: str) -> None:
    if size > LARGEST:
        raise UserError(f"{address} has more than {LARGEST} bytes", "is it the right file?")


def _with_progress(
    answer: http.client.HTTPResponse, had: int, total: int | None, address: str
) -> Iterator[bytes]:
    """Yield the chunks and show progress on standard error: a line, and a bar on a terminal."""
    from rich.console import Console
    from rich.progress import DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

    size = "" if total is None else f" ({total / 1e6:.1f} MB, {had / 1e6:.1f} of it here)"
    print(printable(f"downloading {address}{size}"), file=sys.stderr, flush=True)
    columns = (DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task("", total=total, completed=had)
        while chunk := answer.read(CHUNK):
            yield chunk
            bar.advance(task, len(chunk))


def _reason(error: Exception) -> str:
    """Return an error's message on one line."""
    inner = getattr(error, "reason", error)
    return " ".join(str(inner).split())[:200] or type(error).__name__
