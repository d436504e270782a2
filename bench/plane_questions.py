"""What the data plane is asked, and how it is told whether an answer is what was asked for."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from bench.measuring import Answer, Request, ask
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Pod, Route, Site
from bench.pods import BIG, BIG_PORT, CHAT_PORT, PORT, SMALL

PLAIN, STICKY = Route("plain.example", PORT), Route("sticky.example", PORT, sticky=True, secure=True)
BODIES, SHAPED = Route("big.example", BIG_PORT), Route("shaped.example", PORT, shaped=True)
CHAT = Route("chat.example", CHAT_PORT, sticky=True)
ROUTES = (PLAIN, STICKY, BODIES, SHAPED, CHAT)


class Kind(Enum):
    HTTP1 = "h1"
    HTTP2 = "h2"
    FULL = "full"
    RESUMED = "resumed"
    WEBSOCKET = "websocket"


@dataclass(frozen=True)
class Question:
    """`requests` of one round, over so many connections with so many streams each."""

    name: str
    what: str
    route: Route
    requests: int
    connections: int = 16
    kind: Kind = Kind.HTTP1
    streams: int = 1
    path: str = "/a/page"
    length: int = 5
    headers: Mapping[str, str] = field(default_factory=dict)
    many: bool = False
    """Whether it is asked again with the whole fleet present."""


_PAGE = {"Origin": ORIGIN}

QUESTIONS = (
    Question("plain", "plain request, 16 connections", PLAIN, 2400, many=True),
    Question("sticky", "sticky request, 16 connections", STICKY, 2400, many=True),
    Question("sticky-1", "sticky request, 1 connection", STICKY, 800, 1),
    Question("sticky-512", "sticky request, 512 connections", STICKY, 3072, 512),
    Question("shaped", "rewrite, CORS and a header", SHAPED, 2000, path=f"{PREFIX}/a/page", headers=_PAGE),
    Question("body-4k", "answer of 4 KiB", PLAIN, 2000, path="/body", length=SMALL),
    Question("body-1m", "answer of 1 MiB", BODIES, 96, path="/body", length=BIG),
    Question("h2", "HTTP/2 over TLS, sticky, 4 connections of 8 streams", STICKY, 2400, 4, Kind.HTTP2, 8),
    Question("tls-full", "TLS 1.3, a full handshake for each request", STICKY, 120, 1, Kind.FULL),
    Question("tls-resumed", "TLS 1.3, resumed for each request", STICKY, 120, 1, Kind.RESUMED),
    Question("websocket", "WebSocket message there and back, 16 connections", CHAT, 2400, 16, Kind.WEBSOCKET),
)


def site(pods: tuple[Pod, ...], more: int) -> Site:
    """The routes that are asked, amid so many others: some peers look at one after the other."""
    fleet = tuple(Route(f"app-{number}.example.com", PORT, sticky=True) for number in range(more))
    return Site((*fleet[: more // 2], *ROUTES, *fleet[more // 2 :]), pods)


def with_cookie(question: Question, cookie: str) -> Request:
    """As the load asks, but in one piece."""
    headers = {**question.headers, **({"Cookie": f"a=1; {cookie}"} if cookie else {})}
    return Request(question.path, headers=headers)


async def fetch_cookie(question: Question, port: int) -> str:
    """A session's, for a route that has sessions."""
    if not question.route.sticky:
        return ""
    given = (await ask(port, question.route.host, Request())).headers.get("set-cookie", "")
    return given.partition(";")[0]


async def wrong_with(question: Question, port: int, cookie: str) -> list[str]:
    """What a peer does not do as it was asked, seen from outside."""
    host = question.route.host
    answers = [await ask(port, host, with_cookie(question, cookie)) for _ in range(6)]
    wrong = [f"{one.status} instead of 200" for one in answers[:1] if one.status != 200]
    wrong += [f"{len(one.body)} bytes instead of {question.length}" for one in answers[:1] if len(one.body) != question.length]
    pods = {one.headers.get("x-pod", "") for one in answers}
    if question.route.sticky:
        others = {(await ask(port, host, Request())).headers.get("x-pod", "") for _ in range(24)}
        wrong += wrong_sessions(pods, others, cookie)
    elif len(pods) < 2:
        wrong.append("one pod got every request")
    if question.route.shaped:
        wrong += wrong_shape(await ask(port, host, Request(f"{PREFIX}/a/seen", headers=_PAGE)), allowed=True)
        wrong += wrong_shape(await ask(port, host, Request(f"{PREFIX}/a/seen")), allowed=False)
    return wrong


def wrong_sessions(followed: set[str], fresh: set[str], cookie: str) -> list[str]:
    """`followed` are the pods that one session reached, `fresh` those of clients without one."""
    wrong = [] if cookie.startswith(f"{COOKIE}=") else ["no cookie was given"]
    wrong += ["the session was not followed"] if len(followed) != 1 else []
    return wrong + (["all sessions are on one pod"] if len(fresh) < 2 else [])


def wrong_shape(answer: Answer, *, allowed: bool) -> list[str]:
    """The pod has to see the path without its prefix; the page that may read the answer is told so, others are not."""
    wrong = [] if answer.body.startswith("/a/seen\n") else ["the path was not rewritten"]
    name, value = ADDED_HEADER
    wrong += [] if answer.headers.get(name.lower()) == value else [f"no {name}"]
    said = answer.headers.get("access-control-allow-origin") == ORIGIN
    return wrong if said == allowed else [*wrong, "CORS was not answered" if allowed else "CORS for a stranger"]
