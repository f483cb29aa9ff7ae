"""Downloads over real https, from a server on this machine: whole, checked, never led away from https."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from pixda.errors import UserError
from pixda.models.download import cache_folder, fetch

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()
NAME = f"{SHA256[:16]}-w.pth"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        server.asked.append(self.path)
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path != "/w.pth":
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        self.send_header("Content-Length", server.length or str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[: server.break_after])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    break_after: int | None = None
    length: str | None = None

    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[str] = []
        self.redirects: dict[str, str] = {}
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.address = f"{'http' if context is None else 'https'}://localhost:{self.server_address[1]}"
        self.url = f"{self.address}/w.pth"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate is expected."""


@contextmanager
def serving(context: ssl.SSLContext | None) -> Iterator[Server]:
    with Server(context) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def unknown_server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with serving(context) as running:
        yield running


@pytest.fixture
def server(unknown_server: Server, authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    """A server whose certificate is trusted."""
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    return unknown_server


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    folder = tmp_path / "cache"
    folder.mkdir()
    return folder


def test_a_broken_download_leaves_nothing_and_is_made_again(server: Server, cache: Path) -> None:
    server.break_after = 300_000
    with pytest.raises(UserError, match="could not be fetched"):
        fetch(server.url, SHA256, cache)
    assert list(cache.iterdir()) == [], "half a file never has the name of a whole one"
    server.break_after = None
    path = fetch(server.url, SHA256, cache)
    assert path.read_bytes() == CONTENT
    assert list(cache.iterdir()) == [path]


def test_another_content_than_the_hash_says_is_thrown_away(server: Server, cache: Path) -> None:
    with pytest.raises(UserError, match=f"expected sha256:{'0' * 64} but got {SHA256[:20]}"):
        fetch(server.url, "0" * 64, cache)
    assert list(cache.iterdir()) == []


def test_a_file_in_the_cache_is_taken_if_it_is_the_right_one(server: Server, cache: Path) -> None:
    path = cache / NAME
    path.write_bytes(CONTENT)
    assert fetch(server.url, SHA256, cache) == path
    assert server.asked == []
    path.write_bytes(CONTENT[:-1])
    assert fetch(server.url, SHA256, cache).read_bytes() == CONTENT


def test_a_wrong_address_and_an_absent_server_are_named(server: Server, cache: Path) -> None:
    with pytest.raises(UserError, match=r"nothing\.pth could not be fetched \(404"):
        fetch(f"{server.address}/nothing.pth", SHA256, cache)
    with pytest.raises(UserError, match="could not be fetched"):
        fetch("https://127.0.0.1:1/w.pth", SHA256, cache)


def test_a_redirection_to_https_is_followed(server: Server, cache: Path) -> None:
    server.redirects["/old.pth"] = server.url
    assert fetch(f"{server.address}/old.pth", SHA256, cache).read_bytes() == CONTENT


def test_a_redirection_to_http_is_refused_before_anything_is_asked_there(server: Server, cache: Path) -> None:
    with serving(None) as plain:
        server.redirects["/w.pth"] = plain.url
        with pytest.raises(UserError, match="which is not https"):
            fetch(server.url, SHA256, cache)
        assert plain.asked == []


@pytest.mark.parametrize("length", ["many", "-5", "99999999999999999999999"])
def test_a_nonsensical_length_is_one_sentence_or_no_matter(server: Server, cache: Path, length: str) -> None:
    server.length = length
    with suppress(UserError):  # anything else would be a traceback
        assert fetch(server.url, SHA256, cache).read_bytes() == CONTENT


def test_a_server_without_a_trusted_certificate_is_not_asked(unknown_server: Server, cache: Path) -> None:
    with pytest.raises(UserError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(unknown_server.url, SHA256, cache)
    assert unknown_server.asked == []


@pytest.mark.parametrize(
    ("url", "sha256", "said"),
    [
        ("http://localhost/w.pth", SHA256, "not an https address"),
        ("file:///etc/passwd", SHA256, "not an https address"),
        ("https://localhost/w.pth", None, "without its sha256"),
        ("https://localhost/w.pth", "abc", "is not a sha256"),
        ("https://[localhost/w.pth", SHA256, "is not a valid address"),
        ("https://localhost:port/w.pth", SHA256, "could not be fetched|is not a valid address"),
        ("https://ex ample.invalid/\x00w.pth", SHA256, "could not be fetched|is not a valid address"),
    ],
)
def test_an_address_that_cannot_be_used_is_refused(cache: Path, url: str, sha256: str | None, said: str) -> None:
    with pytest.raises(UserError, match=said):
        fetch(url, sha256, cache)


def test_the_cache_is_where_the_system_wants_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pixda" / "weights"
