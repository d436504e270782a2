"""Where HAProxy's files and sockets are, below the state directory."""

import msgspec

from remora.haproxy.lua import Script
from remora.haproxy.maps import Map


class Layout(msgspec.Struct, frozen=True):
    """Absolute paths below `directory`. Files are written by `apply`; `runtime_socket` is HAProxy's."""

    directory: str

    @property
    def program(self) -> str:
        return f"{self.directory}/program.cfg"

    @property
    def backends(self) -> str:
        return f"{self.directory}/backends.cfg"

    @property
    def runtime_socket(self) -> str:
        return f"{self.directory}/runtime.sock"

    @property
    def passwords_socket(self) -> str:
        """Where the controller tries slow hashes."""
        return f"{self.directory}/passwords.sock"

    @property
    def error_pages_socket(self) -> str:
        return f"{self.directory}/pages.sock"

    @property
    def external_auth_socket(self) -> str:
        return f"{self.directory}/auth.sock"

    @property
    def requests_socket(self) -> str:
        """Where the controller is told of requests."""
        return f"{self.directory}/requests.sock"

    @property
    def listeners_socket(self) -> str:
        """Where a HAProxy that starts is given the sockets of the one that died."""
        return f"{self.directory}/listeners.sock"

    @property
    def launcher_socket(self) -> str:
        """Where the proxy's container is told to start HAProxy, if it is not the controller's."""
        return f"{self.directory}/launcher.sock"

    @property
    def haproxy_files(self) -> tuple[str, ...]:
        """What HAProxy reads, in this order."""
        return self.program, self.peers, self.backends

    @property
    def https_socket(self) -> str:
        return f"{self.directory}/https.sock"

    def metered_socket(self, scheme: str) -> str:
        """Where requests are counted whose body has no known length."""
        return f"{self.directory}/metered-{scheme}.sock"

    @property
    def peers(self) -> str:
        return f"{self.directory}/peers.cfg"

    @property
    def peers_socket(self) -> str:
        return f"{self.directory}/peers.sock"

    @property
    def next_worker_socket(self) -> str:
        return f"{self.directory}/worker.sock"

    @property
    def peers_identity(self) -> str:
        return f"{self.directory}/peers.pem"

    @property
    def crt_list(self) -> str:
        return f"{self.directory}/certificates.list"

    @property
    def tls_files(self) -> str:
        """The directory of what TLS needs beside certificates."""
        return f"{self.directory}/tls"

    @property
    def ticket_keys(self) -> str:
        """The keys of session tickets."""
        return f"{self.tls_files}/tickets.keys"

    @property
    def dh_param(self) -> str:
        """The parameters for Diffie-Hellman."""
        return f"{self.tls_files}/dhparam.pem"

    def script(self, script: Script) -> str:
        """The file of a script in Lua."""
        return f"{self.directory}/{script.value}.lua"

    def map(self, name: Map) -> str:
        """The file of a map, which is also its name on the runtime socket."""
        return f"{self.directory}/maps/{name.value}.map"

    @property
    def upstream_files(self) -> str:
        """The directory of what pods are verified by and shown."""
        return f"{self.directory}/upstream"

    def upstream_file(self, name: str) -> str:
        """The PEM file of that name (see `model.upstream`)."""
        return f"{self.upstream_files}/{name}.pem"

    @property
    def certificates(self) -> str:
        """The directory of the PEM files."""
        return f"{self.directory}/certificates"

    def certificate(self, name: str) -> str:
        """The PEM file of the entry called `name` (see `haproxy.certificates`), or of "default"."""
        return f"{self.certificates}/{name.replace('/', '_')}.pem"
