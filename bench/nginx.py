"""nginx, configured by hand the way ingress-nginx renders its template, as far as an nginx without Lua can be.

What is left out makes nginx cheaper than ingress-nginx is: the Lua of its balancer, of its rewrite and log phases, its metrics,
and the access log that it writes by default.
"""

import os
import pwd
import shutil
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from bench.measuring import process
from bench.questions import Question

MISSING = "nginx is missing, so there is nothing to compare with: apt-get install -y nginx-light (only the binary is used)"

_MAIN = """\
daemon off;
user {user};
worker_processes 1;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
events {{
  multi_accept on;
  worker_connections 16384;
  use epoll;
}}
http {{
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  access_log off;
  aio threads;
  aio_write on;
  tcp_nopush on;
  tcp_nodelay on;
  sendfile on;
  log_subrequest on;
  reset_timedout_connection on;
  server_tokens off;
  keepalive_timeout 75s;
  keepalive_requests 1000;
  client_header_buffer_size 1k;
  client_header_timeout 60s;
  large_client_header_buffers 4 8k;
  client_body_buffer_size 8k;
  client_body_timeout 60s;
  underscores_in_headers off;
  ignore_invalid_headers on;
  limit_req_status 503;
  proxy_cache_path {directory}/auth levels=1:2 keys_zone=auth_cache:10m max_size=128m inactive=30m use_temp_path=off;
  map $http_upgrade $connection_upgrade {{
    default upgrade;
    "" "";
  }}
  map $http_x_request_id $req_id {{
    default $http_x_request_id;
    "" $request_id;
  }}
  upstream pods {{
    {servers}
    keepalive 320;
    keepalive_timeout 60s;
    keepalive_requests 10000;
  }}
  upstream sticky {{
    hash $cookie_route consistent;
    {servers}
    keepalive 320;
    keepalive_timeout 60s;
    keepalive_requests 10000;
  }}
  upstream auth {{
    server 127.0.0.1:{auth};
    keepalive 320;
    keepalive_timeout 60s;
    keepalive_requests 10000;
  }}
  server {{
    listen 127.0.0.1:{port} default_server backlog=511;
    return 404;
  }}
{hosts}
}}
"""

_HOST = """\
{http}
  server {{
    server_name {host};
    listen 127.0.0.1:{port};
    set $proxy_upstream_name "-";
{server}
    location {match} {{
      set $namespace "shop";
      set $ingress_name "{name}";
      set $service_name "web";
      set $service_port "80";
      set $location_path "/";
      port_in_redirect off;
      set $proxy_upstream_name "shop-web-80";
      set $pass_access_scheme $scheme;
      set $pass_server_port $server_port;
      set $best_http_host $http_host;
      set $pass_port $pass_server_port;
      {body_size}
      proxy_set_header Host $best_http_host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header X-Request-ID $req_id;
      proxy_set_header X-Real-IP $remote_addr;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Host $best_http_host;
      proxy_set_header X-Forwarded-Port $pass_port;
      proxy_set_header X-Forwarded-Proto $pass_access_scheme;
      proxy_set_header X-Forwarded-Scheme $pass_access_scheme;
      proxy_set_header X-Scheme $pass_access_scheme;
      proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
      proxy_set_header Proxy "";
      proxy_connect_timeout 5s;
      proxy_send_timeout 60s;
      proxy_read_timeout 60s;
      proxy_buffering off;
      proxy_buffer_size 4k;
      proxy_buffers 4 4k;
      proxy_max_temp_file_size 1024m;
      proxy_request_buffering on;
      proxy_http_version 1.1;
      proxy_cookie_domain off;
      proxy_cookie_path off;
      proxy_next_upstream error timeout;
      proxy_next_upstream_timeout 0;
      proxy_next_upstream_tries 3;
{location}
      proxy_pass http://{upstream};
      proxy_redirect off;
    }}
  }}
"""


def find_nginx() -> str | None:
    """The program, if there is one."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def nginx(
    program: str, directory: Path, questions: Iterable[Question], *, port: int, pods: Sequence[int], auth: int
) -> AbstractContextManager[int]:
    """A running nginx with one worker; gives its master."""
    hosts = "\n".join(_host(question, directory, port) for question in questions)
    servers = "\n    ".join(f"server 127.0.0.1:{pod};" for pod in pods)
    file = directory / "nginx.conf"
    # Workers run as who starts them, since only they may read the directory.
    user = pwd.getpwuid(os.getuid()).pw_name
    file.write_text(_MAIN.format(directory=directory, user=user, servers=servers, auth=auth, port=port, hosts=hosts))
    return process(program, "-c", str(file), "-e", str(directory / "error.log"))


def _host(question: Question, directory: Path, port: int) -> str:
    nginx = question.nginx
    parts = {"location": nginx.location, "server": nginx.server, "http": nginx.http}
    filled = {key: _indented(text.replace("DIRECTORY", str(directory))) for key, text in parts.items()}
    body_size = "" if "client_max_body_size" in nginx.location else "client_max_body_size 1m;"
    return _HOST.format(
        host=question.host,
        name=question.name,
        port=port,
        match=nginx.match,
        upstream=nginx.upstream,
        body_size=body_size,
        **filled,
    )


def _indented(text: str) -> str:
    return "\n".join(f"      {line}" for line in text.strip().splitlines())
