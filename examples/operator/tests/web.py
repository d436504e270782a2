"""The application in the tests: it says which pod it is."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["POD_NAME"].encode())


HTTPServer((os.environ["POD_IP"], 8080), Handler).serve_forever()
