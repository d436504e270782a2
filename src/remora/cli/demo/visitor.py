"""A visitor: one HTTP client that keeps its cookies, as a browser does, and knows which pod answered."""

import http.client
import json
from urllib.parse import urlsplit

import msgspec

HOST = "sticky.localhost"
_TIMEOUT = 5.0


class Answer(msgspec.Struct, frozen=True):
    """What came back."""

    status: int
    pod: str
    """The id that the answering process made at its start; "" if the application did not answer."""
    new_cookie: bool


class Visitor:
    """Keeps one connection and one cookie jar."""

    def __init__(self, name: str, entry: str) -> None:
        self.name = name
        self.cookies: dict[str, str] = {}
        self.pod = ""
        """The pod that answered last."""
        address = urlsplit(entry)
        self._connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=_TIMEOUT)

    def ask(self) -> Answer:
        """GET /; a broken connection is an answer with status 0."""
        headers = {"Host": HOST}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        try:
            self._connection.request("GET", "/", headers=headers)
            response = self._connection.getresponse()
            body = response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return Answer(0, "", new_cookie=False)
        before = dict(self.cookies)
        for line in response.headers.get_all("Set-Cookie") or ():
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name.strip()] = value.strip()
        self.pod = _pod(body) if response.status == 200 else ""
        return Answer(response.status, self.pod, new_cookie=self.cookies != before)

    def close(self) -> None:
        """Ends the connection; cookies stay."""
        self._connection.close()


def _pod(body: bytes) -> str:
    try:
        return str(json.loads(body)["uuid"])
    except (ValueError, KeyError, TypeError):
        return ""
