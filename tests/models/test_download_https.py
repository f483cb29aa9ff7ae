"""Downloads over real https, from a server on this machine: resumed, checked, never led away from https."""

import hashlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import trustme

from pixda.errors import UserError
from pixda.models.download import fetch

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Server)
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        if self.path in server.redirects:
            self.send_response(302)
            self.send_header("Location", server.redirects[self.path])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        body = CONTENT[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", server.length or str(len(body)))
        self.end_headers()
        self.wfile.write(body[: server.break_after])

    def log_message(self, *_: object) -> None:
        pass


class Server(ThreadingHTTPServer):
    def __init__(self, context: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked: list[tuple[str, str | None]] = []
        self.redirects: dict[str, str] = {}
        self.break_after: int | None = None
        self.length: str | None = None
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_side=True)
        scheme = "http" if context is None else "https"
        self.address = f"{scheme}://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that refuses the certificate is not news."""


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusted(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "authority.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))


def _served(context: ssl.SSLContext | None) -> Iterator[Server]:
    with Server(context) as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[Server]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    yield from _served(context)


@pytest.fixture
def plain_server() -> Iterator[Server]:
    yield from _served(None)


@pytest.mark.usefixtures("trusted")
def test_a_broken_download_goes_on_with_a_range_and_is_checked(server: Server, tmp_path: Path) -> None:
    url = f"{server.address}/w.pth"
    server.break_after = 300_000
    with pytest.raises(UserError, match="run the command again to resume"):
        fetch(url, SHA256, tmp_path / "cache")
    (partial,) = (tmp_path / "cache").iterdir()
    assert partial.name.endswith(".part"), "half a file never has the name of a whole one"
    server.break_after = None
    path = fetch(url, SHA256, tmp_path / "cache")
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/w.pth", None), ("/w.pth", "bytes=300000-")]
    assert list((tmp_path / "cache").iterdir()) == [path]


@pytest.mark.usefixtures("trusted")
def test_another_content_than_the_hash_says_is_thrown_away(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=f"has sha256 {SHA256}, not the expected {'0' * 64}"):
        fetch(f"{server.address}/w.pth", "0" * 64, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.usefixtures("trusted")
def test_a_beginning_that_is_not_of_the_file_is_thrown_away(server: Server, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / f"{SHA256[:16]}-w.pth.part").write_bytes(b"something else")
    with pytest.raises(UserError, match="not the expected"):
        fetch(f"{server.address}/w.pth", SHA256, cache)
    assert fetch(f"{server.address}/w.pth", SHA256, cache).read_bytes() == CONTENT


@pytest.mark.usefixtures("trusted")
def test_a_redirection_to_http_is_refused_before_anything_is_asked_there(
    server: Server, plain_server: Server, tmp_path: Path
) -> None:
    server.redirects["/w.pth"] = f"{plain_server.address}/w.pth"
    with pytest.raises(UserError, match="which is not https"):
        fetch(f"{server.address}/w.pth", SHA256, tmp_path / "cache")
    assert plain_server.asked == []


@pytest.mark.usefixtures("trusted")
def test_a_redirection_to_https_is_followed(server: Server, tmp_path: Path) -> None:
    server.redirects["/old.pth"] = f"{server.address}/w.pth"
    assert fetch(f"{server.address}/old.pth", SHA256, tmp_path / "cache").read_bytes() == CONTENT


@pytest.mark.usefixtures("trusted")
@pytest.mark.parametrize("length", ["many", "-5", "99999999999999999999999"])
def test_a_length_that_is_none_is_one_sentence_or_no_matter(server: Server, tmp_path: Path, length: str) -> None:
    server.length = length
    with suppress(UserError):  # anything else would be a traceback
        assert fetch(f"{server.address}/w.pth", SHA256, tmp_path / "cache").read_bytes() == CONTENT


def test_a_server_that_nobody_vouches_for_is_not_asked(server: Server, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="CERTIFICATE_VERIFY_FAILED"):
        fetch(f"{server.address}/w.pth", SHA256, tmp_path / "cache")
    assert server.asked == []


@pytest.mark.parametrize(
    ("url", "sha256", "said"),
    [
        ("http://localhost/w.pth", SHA256, "not an https address"),
        ("ftp://localhost/w.pth", SHA256, "not an https address"),
        ("file:///etc/passwd", SHA256, "not an https address"),
        ("https://localhost/w.pth", None, "without its sha256"),
        ("https://localhost/w.pth", "abc", "is not a sha256"),
        ("https://[localhost/w.pth", SHA256, "is no address"),
        ("https://localhost:port/w.pth", SHA256, "broke off|is no address"),
        ("https://ex ample.invalid/\x00w.pth", SHA256, "broke off|is no address"),
    ],
)
def test_an_address_that_is_not_safe_or_none_is_refused(
    tmp_path: Path, url: str, sha256: str | None, said: str
) -> None:
    with pytest.raises(UserError, match=said):
        fetch(url, sha256, tmp_path / "cache")
