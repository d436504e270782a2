"""How Kubernetes refuses a patch."""

from remora.cluster.api.errors import ApiError, bad_request


class PatchError(ValueError):
    """A patch that cannot be read or followed; the text is for the person who wrote it."""


def rejected() -> ApiError:
    """A JSON patch that does not fit the object: Kubernetes gives no particulars."""
    return ApiError(422, "Invalid", "the server rejected our request due to an error in our request", details={})


def undecodable(why: str) -> ApiError:
    return bad_request(f"error decoding patch: {why}")
