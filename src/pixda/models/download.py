"""Downloads of weights: over https alone, checked against a sha256, kept in a cache."""

import hashlib
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pooch
import requests

from pixda.errors import UserError, first_line

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

    The file gets its name once it is complete and its sha256 is right; a cached one with another is fetched again.
    `UserError` for an address that is not https, or leads away from it, a missing or wrong sha256, or no connection.
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
    # Files of the same name from different addresses are told apart by their hash.
    name = f"{sha256[:16].lower()}-{Path(address.path).name or 'file'}"
    https = pooch.HTTPDownloader(progressbar=True, timeout=TIMEOUT, hooks={"response": _stay_with_https})
    try:
        known = f"sha256:{sha256.lower()}"
        return Path(pooch.retrieve(url, known, name, folder or cache_folder(), downloader=https))
    except (requests.RequestException, OSError, ValueError) as error:  # ValueError: another hash, or a strange address
        raise UserError(f"{url} could not be fetched ({first_line(error)}): check address and sha256.") from error


def _stay_with_https(answer: requests.Response, **_: Any) -> None:
    there = urljoin(answer.url, answer.headers.get("Location", ""))
    if answer.is_redirect and urlsplit(there).scheme != "https":
        raise UserError(f"{answer.url} redirects to {there}, which is not https: find another address.")
