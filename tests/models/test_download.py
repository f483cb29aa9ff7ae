"""Downloads, from a server on this machine."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pixda.errors import UserError
from pixda.models.download import cache_folder, fetch, transfer

CONTENT = bytes(range(256)) * 5000


class Server(ThreadingHTTPServer):
    ranges = True
    break_after = None

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked = []
        self.url = f"http://127.0.0.1:{self.server_address[1]}/weights.pth"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        if self.path != "/weights.pth":
            self.send_error(404, "Not Found")
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        body = CONTENT[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.break_after])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def partial(tmp_path):
    return tmp_path / "weights.pth.part"


def test_whole_file(server, partial):
    transfer(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_goes_on_where_it_broke_off(server, partial):
    server.break_after = 300_000
    with pytest.raises(UserError, match="run the command again to resume"):
        transfer(server.url, partial)
    assert partial.stat().st_size == 300_000
    server.break_after = None
    transfer(server.url, partial)
    assert partial.read_bytes() == CONTENT
    assert server.asked == [None, "bytes=300000-"]


def test_starts_again_where_a_server_cannot_resume(server, partial):
    server.ranges = False
    partial.write_bytes(b"what was there")
    transfer(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_a_complete_file_is_left_as_it_is(server, partial):
    partial.write_bytes(CONTENT)
    transfer(server.url, partial)
    assert partial.read_bytes() == CONTENT


def test_a_wrong_address_is_named(server, partial):
    with pytest.raises(UserError, match=r"nothing\.pth answers 404"):
        transfer(server.url.replace("weights", "nothing"), partial)


def test_no_server(partial):
    with pytest.raises(UserError, match="broke off"):
        transfer("http://127.0.0.1:1/weights.pth", partial)


def cached(folder, content):
    digest = hashlib.sha256(CONTENT).hexdigest()
    path = folder / f"{digest[:16]}-weights.pth"
    path.write_bytes(content)
    return digest, path


def test_what_is_in_the_cache_is_not_fetched_again(tmp_path):
    digest, path = cached(tmp_path, CONTENT)
    assert fetch("https://127.0.0.1:1/weights.pth", digest, tmp_path) == path


def test_what_is_in_the_cache_is_checked(tmp_path):
    digest, _ = cached(tmp_path, CONTENT[:-1])
    with pytest.raises(UserError, match="not the expected"):
        fetch("https://127.0.0.1:1/weights.pth", digest, tmp_path)


def test_cache_is_where_the_system_wants_it(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "pixda" / "weights"
