"""Serves a folder as static hosts do: below a prefix, gzipped, 404.html for what is missing."""

import gzip
import mimetypes
import threading
from contextlib import contextmanager, suppress
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

PREFIX = "/generating-pixels/"
PACKED = ("text/", "image/svg", "application/json", "application/javascript", "application/xml")


@cache
def packed(path, changed):
    """Return the gzipped bytes of a file; it is packed again after it changed."""
    return gzip.compress(path.read_bytes(), 6, mtime=0)


class Handler(BaseHTTPRequestHandler):
    """Answers GET requests with the files of `folder`."""

    protocol_version = "HTTP/1.1"
    folder: Path

    def do_GET(self):
        """Send the file, or the page for missing ones."""
        address = unquote(urlsplit(self.path).path)
        path = (self.folder / address.removeprefix(PREFIX)).resolve()
        path = path / "index.html" if path.is_dir() else path
        found = address.startswith(PREFIX) and path.is_file() and self.folder in path.parents
        if not found:
            path = self.folder / "404.html"
        self.answer(200 if found else 404, path if path.is_file() else None)

    def answer(self, status, path):
        """Send a status, and the file's bytes where there is one."""
        kind = mimetypes.guess_type(path.name)[0] if path else None
        kind = kind or "application/octet-stream"
        body = path.read_bytes() if path else b""
        self.send_response(status)
        if kind.startswith(PACKED):
            body = packed(path, path.stat().st_mtime_ns)
            self.send_header("Content-Encoding", "gzip")
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        self.send_header("Content-Type", kind + charset)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Cache-Control", "max-age=600")
        self.end_headers()
        with suppress(ConnectionError):  # the reader has left the page
            self.wfile.write(body)

    def log_message(self, *_):
        """Keep quiet."""


@contextmanager
def serving(folder):
    """Serve a folder on a free port; gives the address of its root."""
    handler = type("FolderHandler", (Handler,), {"folder": Path(folder).resolve()})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}{PREFIX}"
    finally:
        server.shutdown()
        server.server_close()
