"""Answers with what it received: method, path, headers, and which pod it is. Standard library only."""

import json
import os
import signal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Echo(BaseHTTPRequestHandler):
    """One answer for every method and path."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        received = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        answer = {
            "pod": os.environ.get("POD_NAME", ""),
            "ip": os.environ.get("POD_IP", ""),
            "method": self.command,
            "path": self.path,
            "headers": dict(self.headers.items()),
            "body": received.decode(errors="replace"),
        }
        body = (json.dumps(answer, indent=2) + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_GET


class Server(ThreadingHTTPServer):
    """A backlog for bursts of new connections; the standard library's is 5."""

    request_queue_size = 128
    daemon_threads = True


def main() -> None:
    address = (os.environ.get("POD_IP", "127.0.0.1"), int(os.environ.get("PORT", "8080")))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    with Server(address, Echo) as server:
        print(f"listening on {address[0]}:{address[1]}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
