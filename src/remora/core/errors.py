"""Broken surroundings, as exceptions; a user's mistakes are `Problem` values instead.

RemoraError
├── UsageError          what the person typed cannot be done; the message says what to do next
├── ConfigurationError  a kubeconfig, flag or file cannot be used
├── HAProxyError        the data plane
│   ├── HAProxyMissing      no usable binary
│   ├── HAProxyRefused      it answered, and the answer was no
│   ├── HAProxyUnreachable  its socket does not answer
│   └── StateUnwritable     a file that it is to read cannot be written
└── ApiServerError      the Kubernetes API
    ├── ApiServerUnreachable
    └── ApiServerRefused    an HTTP status other than the expected one
"""


class RemoraError(Exception):
    """Everything that Remora raises on purpose."""


class UsageError(RemoraError):
    """What was asked for cannot be done; shown to the person without a traceback."""


class ConfigurationError(RemoraError):
    """A kubeconfig, a flag or a file that cannot be used."""


class HAProxyError(RemoraError):
    """The data plane did not do what it was told."""


class HAProxyMissing(HAProxyError):
    """No HAProxy binary of a usable version was found."""


class HAProxyRefused(HAProxyError):
    """HAProxy answered a command, a configuration or a reload with an error; the text is its own."""


class HAProxyUnreachable(HAProxyError):
    """A socket of HAProxy does not answer."""


class StateUnwritable(HAProxyError):
    """A file that HAProxy is to read cannot be written: the disk is full, or the directory is not ours."""


class ApiServerError(RemoraError):
    """The Kubernetes API server did not do what it was asked."""


class ApiServerUnreachable(ApiServerError):
    """No answer, a broken connection, or a certificate that does not fit."""


class ApiServerRefused(ApiServerError):
    """The API server answered with an error status; `causes` are the fields at fault, each with what is wrong."""

    def __init__(self, *, status: int, reason: str, message: str, causes: tuple[tuple[str, str], ...] = ()) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.causes = causes
        self.status = status
        self.reason = reason
        self.message = message
