"""Images known from the start: the examples, servers under the names that tutorials use, and the controller.

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
_ECHO = ("hashicorp/http-echo", "hashicorp/http-echo:0.2.3", "hashicorp/http-echo:1.0")
_ECHO_PORT = 5678
"""Where http-echo listens unless `-listen` says otherwise, whatever ports a container declares."""
_HELLO = {"gcr.io/google-samples/hello-app:1.0": "1.0.0", "gcr.io/google-samples/hello-app:2.0": "2.0.0"}


def builtin_images() -> tuple[Image, ...]:
    """All of them, run by the Python that runs this."""
    sticky = ("-m", "uvicorn", "app:app", "--host", "$(POD_IP)", "--port", "$(PORT)")
    return (
        _image(f"{OWN}sticky-session:1", *sticky, folder="sticky_session"),
        *(_image(name, "app.py", folder="echo_headers") for name in (f"{OWN}echo-headers:1", *_ECHO_HEADERS)),
        _image(f"{OWN}echo:1", "app.py", folder="echo"),
        *(_image(name, "app.py", f"-listen=:{_ECHO_PORT}", folder="echo", program="/http-echo") for name in _ECHO),
        *(
            _image(name, "app.py", "-listen=:8080", f"-hello={version}", folder="echo", program="/hello-app")
            for name, version in _HELLO.items()
        ),
        _image(CONTROLLER, "-m", "remora", "controller"),
    )


def add_builtin_images(catalog: ImageCatalog) -> None:
    """Makes them known. Ours are always those of this installation; a person may have put another in place of the rest."""
    known = catalog.read()
    for image in builtin_images():
        before = known.get(image.name)
        if image != before and (before is None or image.name.startswith(OWN) or before.workdir == image.workdir):
            catalog.add(image)


def _image(name: str, *arguments: str, folder: str = "", program: str = "") -> Image:
    # The package's own folders stay as they were installed.
    env = {"PYTHONDONTWRITEBYTECODE": "1"}
    workdir = str(_HERE / folder) if folder else ""
    return Image(name=name, command=(sys.executable, *arguments), workdir=workdir, env=env, program=program)
