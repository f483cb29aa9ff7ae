"""Fetching a file once: over https, resumed where it broke off, and checked against its sha256."""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from pixda.errors import UserError
from pixda.terminal import console

CHUNK = 1 << 20
TIMEOUT = 30.0  # seconds without a byte


def cache_folder() -> Path:
    """Where downloaded weights are kept: `$XDG_CACHE_HOME/pixda/weights`, by default under `~/.cache`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pixda" / "weights"


def check_hash(path: Path, sha256: str) -> None:
    """`UserError` unless the file's sha256 is the given one (64 hexadecimal digits, any case)."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256.lower():
        raise UserError(f"{path} has sha256 {found}, not the expected {sha256.lower()}: get the file again.")


def fetch(url: str, sha256: str | None, folder: Path | None = None) -> Path:
    """The local copy of an https address, downloaded to `folder` (the cache) unless it is there already.

    A download that breaks off is resumed by the next call; a file gets its name only once it is complete
    and its sha256 is right. Not https, no sha256, no connection or another content: `UserError`.
    For one process at a time: of several, let the first fetch before the others ask.
    """
    try:
        address = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url} is no address ({error}): correct it.") from error
    if address.scheme != "https":
        raise UserError(f"{url} is not an https address: give one, or the path of a file on this machine.")
    if sha256 is None:
        raise UserError(f"{url} was given without its sha256, which every download needs: add it.")
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"'{sha256}' is not a sha256, which has 64 hexadecimal digits: correct it.")
    folder = cache_folder() if folder is None else folder
    # The hash in the name keeps files of one name, from several places, apart.
    path = folder / f"{sha256[:16].lower()}-{Path(address.path).name or 'file'}"
    if path.exists():
        try:
            check_hash(path, sha256)
        except UserError as error:
            raise UserError(f"{error} It is in the cache: remove it there, and it is fetched again.") from error
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    transfer(url, partial)
    try:
        check_hash(partial, sha256)
    except UserError:
        partial.unlink()
        raise
    partial.replace(path)
    return path


class _NoDowngrade(urllib.request.HTTPRedirectHandler):
    """Follows redirections, but never from https to something less."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if urlsplit(req.full_url).scheme == "https" and urlsplit(newurl).scheme != "https":
            raise UserError(f"{req.full_url} redirects to {newurl}, which is not https: find another source.")
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def transfer(url: str, partial: Path) -> None:
    """Write what is at `url` to `partial`, going on after the bytes that are already there."""
    start = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={start}-"} if start else {})
    opener = urllib.request.build_opener(_NoDowngrade)
    try:
        with opener.open(request, timeout=TIMEOUT) as answer:
            resumed = answer.status == http.HTTPStatus.PARTIAL_CONTENT
            _save(answer, partial, start if resumed else 0)
    except urllib.error.HTTPError as error:
        # All bytes were there already: nothing is left to ask for, the hash decides.
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise UserError(f"{url} answers {error.code} {error.reason}: check the address.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"The download of {url} broke off ({error}): run the command again to resume it.") from error


def _save(answer: http.client.HTTPResponse, partial: Path, start: int) -> None:
    length = answer.headers.get("Content-Length")
    total = start + int(length) if length is not None and length.isdecimal() else None
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, console=console())
    with bar, partial.open("ab" if start else "wb") as file:
        task = bar.add_task(partial.name.removesuffix(".part"), total=total, completed=start)
        while chunk := answer.read(CHUNK):
            file.write(chunk)
            bar.advance(task, len(chunk))
    # A connection that closes early ends `read` without an error.
    if total is not None and partial.stat().st_size < total:
        raise http.client.IncompleteRead(b"", total - partial.stat().st_size)
