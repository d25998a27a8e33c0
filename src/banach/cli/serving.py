"""The page of a race while it runs, over HTTP on this machine alone.

It listens on 127.0.0.1 and answers GET under its own name only: a page of another
site, whose name was made to point here, is refused by its Host. Nothing can be changed
through it. The page is the report (`report.page`); it is told of changes by
server-sent events, reads itself again, and asks for nothing from elsewhere.
"""

import http.server
import socketserver
import threading
from typing import Any

from banach.cli.console import Usage
from banach.racing.so_far import SoFar
from banach.report import page

HOST = "127.0.0.1"
STREAMS = 16  # pages that may follow at once
PAUSE = 0.5  # seconds between two events, at least
BEAT = 5.0  # seconds after which a silent stream shows that it lives


class Page:
    """A server of the page of some races; use as a context manager.

    Raises:
        Usage: the port is taken, or may not be used.
    """

    def __init__(self, so_far: SoFar, port: int = 0):
        if not 0 <= port <= 65535:
            raise Usage(
                f"--port is a number up to 65535, 0 for any free one, got {port}"
            )
        try:
            self._server = _Server((HOST, port), _Handler)
        except OSError as e:
            raise Usage(
                f"port {port} of {HOST} cannot be used ({e.strerror or e}); name "
                "another one with --port, or leave it out for a free one"
            ) from e
        self._server.so_far = so_far
        self.port = self._server.server_address[1]
        self.address = f"http://{HOST}:{self.port}/"
        self._server.hosts = {f"{HOST}:{self.port}", f"localhost:{self.port}"}
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), daemon=True
        )

    def __enter__(self) -> "Page":
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._server.ending.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """One thread a request; those that follow end with the process."""

    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    so_far: SoFar
    hosts: set[str]

    def __init__(self, *given: Any):
        self.ending = threading.Event()
        self.streams = threading.BoundedSemaphore(STREAMS)
        self._drawing = threading.Lock()
        self._drawn: tuple[int, bytes] = (-1, b"")
        super().__init__(*given)

    def text(self) -> bytes:
        """The page as it stands, drawn once a version."""
        with self._drawing:
            version, races = self.so_far.races()
            if version != self._drawn[0]:
                self._drawn = version, page.render(races, live=True).encode()
            return self._drawn[1]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that was closed in the middle of an answer is no error of a race."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server
    server_version, sys_version = "banach", ""
    timeout = 10.0  # seconds for a request, and for a reader that does not read

    def do_GET(self) -> None:
        """The page, or the events that say when to read it again."""
        if self.headers.get_all("Host", []) not in [[h] for h in self.server.hosts]:
            return self._say(421, "This server answers under its own address only.")
        path = self.path.partition("?")[0]
        if path == "/":
            return self._answer(200, "text/html; charset=utf-8", self.server.text())
        if path == "/events":
            return self._events()
        return self._say(404, "There is one page here, at /.")

    def _refuse(self) -> None:
        self._say(405, "Only GET is answered.", Allow="GET")

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = _refuse

    def _events(self) -> None:
        if not self.server.streams.acquire(blocking=False):
            return self._say(503, "Too many pages follow already; close one.")
        try:
            self._head(200, "text/event-stream; charset=utf-8")
            self.end_headers()
            said = -1
            while not self.server.ending.is_set():
                version = self.server.so_far.wait(said, BEAT)
                more = "" if version == said else f"id: {version}\ndata: {version}\n"
                self.wfile.write((more or ": beat\n").encode() + b"\n")
                self.wfile.flush()
                said = version
                self.server.ending.wait(PAUSE)
        finally:
            self.server.streams.release()

    def _say(self, code: int, text: str, **headers: str) -> None:
        self._answer(code, "text/plain; charset=utf-8", f"{text}\n".encode(), **headers)

    def _answer(self, code: int, kind: str, body: bytes, **headers: str) -> None:
        self._head(code, kind)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _head(self, code: int, kind: str) -> None:
        self.send_response(code)
        policy = f"{page.policy(live=True)}; frame-ancestors 'none'"
        for name, value in {
            "Content-Type": kind,
            "Content-Security-Policy": policy,
            "X-Content-Type-Options": "nosniff",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cross-Origin-Opener-Policy": "same-origin",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-store",
            "Connection": "close",
        }.items():
            self.send_header(name, value)

    def log_message(self, *said: Any) -> None:
        """Nothing is logged: stderr belongs to the race."""
