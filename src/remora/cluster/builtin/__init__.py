"""Images known from the start: the examples, two echo servers under the names that tutorials use, and the controller.

The applications lie in folders beside this file, as links where `examples/` has the file to be read.
"""

import sys
from pathlib import Path

from remora.cluster.kubelet.images import Image, ImageCatalog

OWN = "remora/"
CONTROLLER = f"{OWN}controller:0.1.0"

_HERE = Path(__file__).parent
_ECHO_HEADERS = (
    "registry.k8s.io/echoserver:1.10",
    "gcr.io/google_containers/echoserver:1.10",
    "gcr.io/google_containers/echoserver:1.4",
)
_ECHO = ("hashicorp/http-echo",)


def builtin_images() -> tuple[Image, ...]:
    """All of them, run by the Python that runs this."""
    sticky = ("-m", "uvicorn", "app:app", "--host", "$(POD_IP)", "--port", "$(PORT)")
    return (
        _image(f"{OWN}sticky-session:1", *sticky, folder="sticky_session"),
        *(_image(name, "app.py", folder="echo_headers") for name in (f"{OWN}echo-headers:1", *_ECHO_HEADERS)),
        *(_image(name, "app.py", folder="echo") for name in (f"{OWN}echo:1", *_ECHO)),
        _image(CONTROLLER, "-m", "remora", "controller"),
    )


def add_builtin_images(catalog: ImageCatalog) -> None:
    """Makes them known. Ours are always those of this installation; a person may have put another in place of the rest."""
    known = catalog.read()
    for image in builtin_images():
        if image != known.get(image.name) and (image.name.startswith(OWN) or image.name not in known):
            catalog.add(image)


def _image(name: str, *arguments: str, folder: str = "") -> Image:
    # The package's own folders stay as they were installed.
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    return Image(name=name, command=(sys.executable, *arguments), workdir=str(_HERE / folder) if folder else "", env=env)
