"""`pixda serve` in a real browser: what a visitor drops, sees and reads; and that nobody else is told."""

import importlib.util
import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import numpy as np
import pytest
import uploads
from PIL import Image

from pixda.__main__ import main
from pixda.api import load
from runs import quick_run, words

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("gradio") is None, reason="needs pixda[serve]"),
]
needs_browser = pytest.mark.skipif(
    CHROMIUM is None or importlib.util.find_spec("playwright") is None,
    reason="needs Chromium on the path, and playwright (pip install playwright) to drive it",
)
SWITCHES = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
PATIENCE = 120_000  # milliseconds; a machine may be busy


class Server:
    """`pixda serve` with two models in a process of its own, and what it did."""

    def __init__(self, root):
        self.first = quick_run(root)
        self.second = root / "other"
        more = ["--recipe.more_steps=0", "--recipe.pretrain_steps=2", "--seed=1"]
        assert main(words(root, self.second, *more, method="source_only")) == 0
        self.connected = root / "connected"
        self.log = (root / "log").open("w+")
        environment = {**os.environ, "TMPDIR": str(root), "PYTHONUNBUFFERED": "1"}
        script = str(Path(__file__).with_name("server.py"))
        given = ["serve", str(self.first), str(self.second), "--port", "0"]
        self.process = subprocess.Popen(
            [sys.executable, script, str(self.connected), *given],
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        self.root = root
        limit = time.monotonic() + 120
        while (found := re.search(r"at (http://\S+:(\d+)/)", self.said())) is None:
            assert self.process.poll() is None, self.said()
            assert time.monotonic() < limit, self.said()
            time.sleep(0.1)
        self.address, self.port = found[1], int(found[2])

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def uploaded(self):
        return [path for path in self.root.glob("pixda-serve-*/**/*") if path.is_file()]

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    running = Server(tmp_path_factory.mktemp("served"))
    yield running
    running.stop()


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield chromium
        chromium.close()


@pytest.fixture
def page(server, browser):
    """The page as it opens, and the addresses that it asks for."""
    tab = browser.new_page(viewport={"width": 1300, "height": 900})
    tab.set_default_timeout(PATIENCE)
    tab.asked = []
    tab.on("request", lambda request: tab.asked.append(request.url))
    tab.goto(server.address)
    tab.wait_for_selector("#status")
    yield tab
    tab.close()


def drop(page, name, data):
    page.set_input_files("input[type=file]", {"name": name, "mimeType": "image/png", "buffer": data})


def pixels(page, place):
    """The picture that a visitor sees, as it was sent."""
    page.wait_for_selector(f"{place} img")
    with urllib.request.urlopen(page.get_attribute(f"{place} img", "src"), timeout=30) as answer:
        return np.asarray(Image.open(io.BytesIO(answer.read())).convert("RGB"))


def told(page, text):
    page.wait_for_function("text => document.querySelector('#status')?.innerText.includes(text)", arg=text)
    return page.inner_text("#status")


@needs_browser
def test_a_dropped_image_gets_its_mask_confidence_and_shares_of_each_model(server, page):
    photo = uploads.photo()
    drop(page, "photo.png", uploads.png(photo))
    assert told(page, "photo.png") == "photo.png, 64 x 48"
    page.wait_for_selector("#table table")
    seen = {}
    for run in (server.first, server.second):
        if run == server.second:
            page.get_by_label("Model", exact=True).click()
            page.get_by_role("option", name="other").click()
            page.wait_for_function("old => document.querySelector('#table').innerText !== old", arg=seen["table"])
        model = load(run)
        classes = model.predict(np.asarray(photo))
        assert np.array_equal(pixels(page, "#mask"), model.classes.palette()[classes])
        assert pixels(page, "#overlay").shape == pixels(page, "#confidence").shape == (48, 64, 3)
        seen["table"] = page.inner_text("#table")
        rows = [line.split("\t")[1:3] for line in seen["table"].splitlines() if line.endswith(tuple("0123456789"))]
        names, counts = np.unique(classes, return_counts=True)
        shares = {model.classes.names[name]: f"{100 * count / classes.size:.1f} %" for name, count in
                  zip(names, counts, strict=True)}  # fmt: skip
        assert dict(rows) == shares
    asked = [one for one in page.asked if not one.startswith((server.address, "data:", "blob:"))]
    assert not asked, "the page asks somebody else"


@needs_browser
def test_bad_files_are_refused_politely_and_the_page_goes_on(page):
    for name, (data, said) in uploads.bad_uploads().items():
        drop(page, name, data)
        assert f"Not shown: {said}" in told(page, name)
        assert page.query_selector("#mask img") is None
        page.click("button[aria-label*='Clear'], button[aria-label*='Remove']")
        told(page, "up to 20 MB")
    drop(page, "photo.png", uploads.png(uploads.photo()))
    told(page, "64 x 48")


@needs_browser
def test_a_file_that_is_too_large_or_of_another_kind_is_not_taken(page, tmp_path):
    (tmp_path / "large.png").write_bytes(bytes(20 * 2**20 + 1))
    page.set_input_files("input[type=file]", tmp_path / "large.png")
    page.wait_for_selector("text=/exceeds|too large|maximum/i")
    page.reload()
    page.wait_for_selector("#status")
    drop(page, "notes.txt", b"notes")
    page.wait_for_selector("text=/invalid|not (a )?supported|only|allowed/i")
    assert "up to 20 MB" in page.inner_text("#status")


def call(server, file):
    """What the page's own call answers to a file that was never uploaded."""
    data = {"data": [server.first.name, {"path": file, "meta": {"_type": "gradio.FileData"}}], "fn_index": 0,
            "session_hash": "x", "trigger_id": 1}  # fmt: skip
    request = urllib.request.Request(
        f"{server.address}gradio_api/queue/join", json.dumps(data).encode(), {"Content-Type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=30).read()
    with urllib.request.urlopen(f"{server.address}gradio_api/queue/data?session_hash=x", timeout=30) as stream:
        for line in stream:
            if b"process_completed" in line:
                return json.loads(line.removeprefix(b"data: "))
    raise AssertionError("no answer")


def test_neither_addresses_nor_files_of_the_machine_are_read_for_a_visitor(server):
    for file in ("https://example.org/photo.png", "/etc/hostname", str(server.first / "model.json")):
        answer = call(server, file)
        assert not answer["success"], file


def test_the_page_is_on_this_machine_alone_and_calls_nobody(server):
    with socket.socket() as probe:
        probe.connect((server.address.split("/")[2].split(":")[0], server.port))
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
                 if line.split()[3] == "0A"]  # fmt: skip
    assert [one for one in listening if one.endswith(f":{server.port:04X}")] == [f"0100007F:{server.port:04X}"]
    addresses = set(server.connected.read_text().splitlines())
    assert all("127.0.0.1" in one for one in addresses), addresses


def test_stopped_it_leaves_no_upload_behind(server):
    """The last test here: the server ends with it."""
    body = b"--x\r\nContent-Disposition: form-data; name=files; filename=photo.png\r\n\r\n%b\r\n--x--\r\n"
    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    data = body % uploads.png(uploads.photo())
    urllib.request.urlopen(urllib.request.Request(f"{server.address}gradio_api/upload", data, kind), timeout=60).read()
    assert server.uploaded()
    server.stop()
    assert server.process.returncode == 0, server.said()
    assert not server.uploaded()
