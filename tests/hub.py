"""A small server that speaks as much of Hugging Face's protocol as its real client needs to give and to fetch files."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

Repositories = dict[str, dict[str, bytes]]
"""Name -> file -> content."""


@contextmanager
def serving(repositories: Repositories) -> Iterator[str]:
    """The address of a hub that holds these and takes others; they are changed as clients upload."""

    class Hub(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.do_GET()

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            if path.startswith("/api/models/"):
                name = "/".join(path.split("/")[3:5])
                if name not in repositories:
                    return self._missing("RepoNotFound")
                listed = [{"rfilename": file} for file in repositories[name]]
                if "/tree/" in path:
                    tree = [
                        {"type": "file", "path": file, "size": len(data), "oid": hashlib.sha1(data).hexdigest()}
                        for file, data in repositories[name].items()
                    ]
                    return self._json(tree)
                return self._json({"id": name, "sha": commit(repositories[name]), "siblings": listed})
            name, _, file = path.strip("/").partition("/resolve/")
            file = file.partition("/")[2]
            if name not in repositories:
                return self._missing("RepoNotFound")
            if file not in repositories[name]:
                return self._missing("EntryNotFound")
            data = repositories[name][file]
            sha = commit(repositories[name])
            self._answer(data, {"ETag": f'"{hashlib.sha1(data).hexdigest()}"', "X-Repo-Commit": sha})

        def do_POST(self) -> None:
            data = self._body()
            path = self.path.partition("?")[0]
            if path == "/api/repos/create":
                name = json.loads(data)["name"]
                owner = json.loads(data).get("organization")
                repositories.setdefault(f"{owner}/{name}" if owner else name, {})
                return self._json({"url": f"http://{self.headers['Host']}/{owner}/{name}"})
            if path == "/api/validate-yaml":
                return self._json({"errors": [], "warnings": []})
            name = "/".join(path.split("/")[3:5])
            if "/preupload/" in path:
                asked = json.loads(data)["files"]
                files = [{"path": one["path"], "uploadMode": "regular", "shouldIgnore": False} for one in asked]
                return self._json({"files": files})
            if "/commit/" in path:
                for line in data.splitlines():
                    entry = json.loads(line)
                    if entry["key"] == "file":
                        value = entry["value"]
                        repositories[name][value["path"]] = base64.b64decode(value["content"])
                sha, here = commit(repositories[name]), f"http://{self.headers['Host']}"
                return self._json({"success": True, "commitOid": sha, "commitUrl": f"{here}/{name}/commit/{sha}"})
            return self._missing("unknown")

        def _body(self) -> bytes:
            if "chunked" in self.headers.get("Transfer-Encoding", ""):
                data = b""
                while size := int(self.rfile.readline(), 16):
                    data += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return data
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))

        def _missing(self, code: str) -> None:
            self.send_response(404)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _json(self, value: Any) -> None:
            self._answer(json.dumps(value).encode(), {"Content-Type": "application/json"})

        def _answer(self, data: bytes, headers: dict[str, str]) -> None:
            self.send_response(200)
            for name, value in (headers | {"Content-Length": str(len(data))}).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(data)

        def log_message(self, *arguments: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def in_python(code: str, address: str, home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run code in a process whose hub is at the address: the client reads it when it is imported."""
    environment = os.environ | {
        "HF_ENDPOINT": address, "HF_HUB_OFFLINE": "0", "HF_HOME": str(home), "HF_TOKEN": "hf_test",
        "HF_HUB_DISABLE_XET": "1", "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    given = [sys.executable, "-W", "ignore", "-c", code, *arguments]
    return subprocess.run(given, env=environment, text=True, capture_output=True, check=False)


def commit(files: dict[str, bytes]) -> str:
    """A hash of all files, as the name of the state that they are in."""
    state = hashlib.sha1()
    for name, data in sorted(files.items()):
        state.update(name.encode() + hashlib.sha1(data).digest())
    return state.hexdigest()
