"""A server on this machine that stands for a hub and for the rest of the web."""

import hashlib
import http.server
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

COMMIT = "0" * 40


class Server(http.server.ThreadingHTTPServer):
    """Serves the files of a folder: `/FILE`, and as the hub does `/owner/repo/resolve/REVISION/FILE`.

    Attributes:
        sent: bytes of content that went out, per request: (path, first byte, bytes).
        ranges: whether it sends parts of a file.
        break_after: the next answers stop after this many bytes each, one after the other.
    """

    def __init__(self, folder: Path):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.ranges = True
        self.sent: list[tuple[str, int, int]] = []
        self.break_after: list[int] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"

    def do_HEAD(self):
        self.answer(body=False)

    def do_GET(self):
        self.answer(body=True)

    def answer(self, body):
        name = self.path.partition("?")[0]
        file = self.server.folder / Path(name).name
        if name == "/moved":
            return self.refuse(302, Location="http://example.com/elsewhere")
        if not file.is_file():
            return self.refuse(404, **{"X-Error-Code": "EntryNotFound"} if "/resolve/" in name else {})
        content, first = file.read_bytes(), 0
        if (wanted := self.headers["Range"]) and self.server.ranges:
            first = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if first >= len(content):
                return self.refuse(416)
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(content) - first))
        if first:
            self.send_header("Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}")
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if body:
            rest = content[first:]
            if self.server.break_after:
                rest, self.close_connection = rest[: self.server.break_after.pop(0)], True
            self.wfile.write(rest)
            self.server.sent.append((name, first, len(rest)))
        return None

    def refuse(self, code, **headers):
        self.send_response(code)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@contextmanager
def serving(folder: Path) -> Iterator[Server]:
    """Serve the files of a folder while the block runs."""
    server = Server(folder)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def answering(data: bytes, piece: int = 1 << 20, pause: float = 0.0) -> Iterator[str]:
    """Yield an address that answers with raw bytes, in pieces with pauses between them."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve():
            with listener.accept()[0] as connection, suppress(OSError):
                connection.recv(1 << 16)
                for start in range(0, len(data), piece):
                    connection.sendall(data[start : start + piece])
                    time.sleep(pause)

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
