"""Downloads of weights: over https, resumed after an interruption, and checked against a sha256.

Written here because `torch.hub` and the other downloaders start again from the first byte.
"""

import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
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
    """The local copy of an https address; downloaded to `folder` (by default the cache) if it is not there yet.

    An interrupted download is resumed by the next call. The file gets its name once it is complete and its sha256
    is right. `UserError` for an address that is not https, a missing or wrong sha256, or no connection.
    Not for several processes at once: let the first one fetch before the others ask.
    """
    try:
        address = urlsplit(url)
    except ValueError as error:
        raise UserError(f"{url} is not a valid address ({error}): correct it.") from error
    if address.scheme != "https":
        raise UserError(f"{url} is not an https address: give one, or the path of a file on this machine.")
    if sha256 is None:
        raise UserError(f"{url} was given without its sha256, which every download needs: add it.")
    if not re.fullmatch("[0-9a-fA-F]{64}", sha256):
        raise UserError(f"'{sha256}' is not a sha256, which has 64 hexadecimal digits: correct it.")
    folder = cache_folder() if folder is None else folder
    # Files of the same name from different addresses are told apart by their hash.
    path = folder / f"{sha256[:16].lower()}-{Path(address.path).name or 'file'}"
    if path.exists():
        try:
            check_hash(path, sha256)
        except UserError as error:
            raise UserError(f"{error} It is in the cache: remove it there, and it is downloaded again.") from error
        return path
    folder.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".part")
    _download(url, partial)
    try:
        check_hash(partial, sha256)
    except UserError:
        partial.unlink()
        raise
    partial.replace(path)
    return path


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    """Follows redirections to https addresses only."""

    def redirect_request(self, req: urllib.request.Request, *answer: Any) -> urllib.request.Request | None:
        new_address: str = answer[-1]
        if urlsplit(new_address).scheme != "https":
            raise UserError(f"{req.full_url} redirects to {new_address}, which is not https: find another address.")
        return super().redirect_request(req, *answer)


def _download(url: str, partial: Path) -> None:
    """Append to `partial` what it lacks of the file at `url`; start again if the server cannot resume."""
    present = partial.stat().st_size if partial.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={present}-"} if present else {})
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    try:
        with urllib.request.build_opener(_HttpsOnly).open(request, timeout=TIMEOUT) as answer:
            if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
                present = 0
            length = answer.headers.get("Content-Length") or ""
            total = present + int(length) if length.isdecimal() else None
            with Progress(*columns, console=console()) as bar, partial.open("ab" if present else "wb") as file:
                task = bar.add_task(partial.stem, total=total, completed=present)
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    bar.advance(task, len(chunk))
            # `read` does not complain about a connection that closes early.
            if total is not None and partial.stat().st_size < total:
                raise ConnectionError(f"{total - partial.stat().st_size} bytes are missing")
    except urllib.error.HTTPError as error:
        # Nothing is left to ask for if all bytes are there already. The hash decides.
        if error.code != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise UserError(f"{url} answers {error.code} {error.reason}: check the address.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise UserError(f"The download of {url} broke off ({error}): run the command again to resume it.") from error
