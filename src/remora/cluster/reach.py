"""Whether the entry really answers: one request through the whole path, Service proxy, controller's pod and HAProxy in it."""

import http.client

from remora.cluster.entry import Entry

_TIMEOUT = 2.0


def find_fault(entry: Entry) -> str:
    """What is wrong with the answer to `GET /healthz`, "" if nothing is."""
    connection = http.client.HTTPConnection(entry.address, entry.http_port, timeout=_TIMEOUT)
    try:
        connection.request("GET", "/healthz")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"{entry.url} does not answer: {error or type(error).__name__}"
    finally:
        connection.close()
    return "" if status == 200 else f"{entry.url}/healthz answers with {status}"
