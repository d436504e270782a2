"""A client that keeps its cookies: prints the answer and the session cookie once a second.

    python client.py http://127.0.0.1:8080/ sticky.localhost

The second argument is the Host header, for when the address is not the Ingress' host name.
"""

import argparse
import asyncio
import contextlib

import aiohttp


async def watch(url: str, headers: dict[str, str], count: int) -> None:
    """Ask `count` times (0: until interrupted), once a second, as one browser would."""
    # A cookie jar drops the cookies of bare IP addresses unless it is told otherwise.
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar, headers=headers) as session:
        asked = 0
        while True:
            async with session.get(url) as response:
                answer = (await response.text()).strip()
                cookies = "; ".join(f"{cookie.key}={cookie.value}" for cookie in session.cookie_jar)
            print(f"{response.status} {answer}  cookie: {cookies or 'none'}", flush=True)
            asked += 1
            if asked == count:
                return
            await asyncio.sleep(1)


def main() -> None:
    parser = argparse.ArgumentParser(description="Ask once a second, keeping cookies.")
    parser.add_argument("url")
    parser.add_argument("host", nargs="?", help="Host header to send")
    parser.add_argument("--count", type=int, default=0, help="how often to ask; 0 is until Ctrl-C")
    arguments = parser.parse_args()
    headers = {"Host": arguments.host} if arguments.host else {}
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(watch(arguments.url, headers, arguments.count))


if __name__ == "__main__":
    main()
