"""Answers every request with one text, as `hashicorp/http-echo` does: `-text TEXT -listen [ADDRESS]:PORT`.

With `-hello VERSION` the text is that of Google's `hello-app`.
"""

import argparse
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Server(ThreadingHTTPServer):
    """A server that knows its text; with a backlog for bursts of new connections."""

    request_queue_size = 128
    daemon_threads = True
    text = ""


class Echo(BaseHTTPRequestHandler):
    """The same answer for every method and path."""

    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = f"{self.server.text}\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET


def hello(version: str) -> str:
    return f"Hello, world!\nVersion: {version}\nHostname: {os.environ.get('HOSTNAME', '')}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("-text", "--text", default=os.environ.get("POD_NAME", "hello"))
    parser.add_argument("-listen", "--listen", default=f":{os.environ.get('PORT', '5678')}")
    parser.add_argument("-hello", default="")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    address, _, port = arguments.listen.rpartition(":")
    # A pod's own address stands for "all addresses": other pods have the same port on theirs.
    everywhere = address in ("", "0.0.0.0", "[::]")  # noqa: S104
    with Server((os.environ.get("POD_IP", "127.0.0.1") if everywhere else address, int(port)), Echo) as server:
        server.text = hello(arguments.hello) if arguments.hello else arguments.text
        print(f"listening on port {port}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
