"""What takes longer than every `make test` can wait for: `make clients` asks for it."""

import os
from importlib.util import find_spec

import pytest

ASKED = bool(os.environ.get("REMORA_CLIENTS"))


def only_if_asked() -> pytest.MarkDecorator:
    return pytest.mark.skipif(not ASKED, reason="`make clients` runs this")


def needs(module: str) -> pytest.MarkDecorator:
    """For a client that `make clients` installs."""
    return pytest.mark.skipif(find_spec(module) is None, reason=f"{module} is not installed: `make clients` does that")
