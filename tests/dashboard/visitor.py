"""A visitor without a browser."""

import http.client
import re
from collections.abc import Callable, Mapping
from urllib.parse import quote, urlencode, urlsplit

import msgspec

from tests.support.dashboard import Served

PATIENCE = 30.0


class Page(msgspec.Struct, frozen=True):
    """An answer."""

    status: int
    text: str
    headers: Mapping[str, str]


class Visitor:
    """Somebody who has signed in, without a browser."""

    def __init__(self, served: Served) -> None:
        self._host = urlsplit(served.base).netloc
        self._cookie = ""
        entered = self.get(f"/enter?token={quote(served.key)}")
        self._cookie = entered.headers["set-cookie"].partition(";")[0]
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/objects/services").text)
        assert found
        self.csrf = found[1]

    def get(self, path: str) -> Page:
        """A page."""
        return self._ask("GET", path, {}, None)

    def post(self, path: str, *, origin: str = "", **fields: str) -> Page:
        """What a form of the dashboard's own pages would send, but for what is given otherwise."""
        headers = {"Origin": origin or f"http://{self._host}", "Content-Type": "application/x-www-form-urlencoded"}
        return self._ask("POST", path, headers, urlencode({"csrf": self.csrf} | fields))

    def events(self, path: str, until: Callable[[str], bool]) -> str:
        """What a stream of events says, up to what is waited for."""
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request("GET", path, headers={"Cookie": self._cookie})
            answer, text = connection.getresponse(), ""
            while not until(text):
                line = answer.readline().decode()
                assert line, f"the stream has ended: {text}"
                text += line
            return text
        finally:
            connection.close()

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: str | None) -> Page:
        connection = http.client.HTTPConnection(self._host, timeout=PATIENCE)
        try:
            connection.request(method, path, body, {"Cookie": self._cookie, "Accept": "text/html", **headers})
            answer = connection.getresponse()
            return Page(answer.status, answer.read().decode(), {key.lower(): value for key, value in answer.getheaders()})
        finally:
            connection.close()
