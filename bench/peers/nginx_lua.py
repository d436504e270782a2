"""nginx with a Lua balancer, as ingress-nginx works: Debian's nginx and its Lua module.

Every route passes to one upstream, whose `balancer_by_lua` takes the pod. The pods come over HTTP as ingress-nginx's
controller sends them, lie in a shared dictionary, and are looked for once a second by a timer of the worker. A session's
cookie is the MD5 of its pod's address and a key of the backend, as with `affinity-mode: persistent`; a pod that is going is no
longer sent, as with ingress-nginx, which knows ready pods only. Another route is another file and a reload. Cheaper than
ingress-nginx: no metrics, no access log, and lines instead of JSON.
"""

import asyncio
import hashlib
import http.client
import os
import pwd
import signal
import socket
from collections.abc import Sequence
from pathlib import Path

from bench.measuring import children_of, version_of
from bench.peers.site import ADDED_HEADER, COOKIE, ORIGIN, PREFIX, Proxy, Route, Site, program, replace

_MODULES = Path("/usr/lib/nginx/modules")
_NEEDED = ("ndk_http_module.so", "ngx_http_lua_module.so")

_LUA = f"""\
local balancer = require "ngx.balancer"
local backends, last = {{}}, ""
local module = {{}}

local function sync()
  local text = ngx.shared.configuration:get("backends")
  if not text or text == last then return end
  local found = {{}}
  for name, sticky, key, rest in text:gmatch("([^ \\n]+) ([01]) (%x+) ([^\\n]*)\\n") do
    local backend = {{ sticky = sticky == "1", key = key, pods = {{}}, by_key = {{}}, next = math.random(64) }}
    for address, port in rest:gmatch("([%d.]+):(%d+)") do
      local pod = {{ address = address, port = tonumber(port), key = ngx.md5(address .. ":" .. port) }}
      table.insert(backend.pods, pod)
      backend.by_key[pod.key] = pod
    end
    found[name] = backend
  end
  backends, last = found, text
end

function module.init_worker()
  math.randomseed(ngx.now() * 1000 + ngx.worker.pid())
  sync()
  ngx.timer.every(1, sync)
end

function module.receive()
  ngx.req.read_body()
  local text = ngx.req.get_body_data()
  if not text then
    local file = io.open(ngx.req.get_body_file(), "rb")
    text = file:read("*a")
    file:close()
  end
  ngx.shared.configuration:set("backends", text)
  ngx.status = 201
end

function module.rewrite()
  ngx.ctx.backend = backends[ngx.var.proxy_upstream_name]
end

local function choose(backend)
  if not backend.sticky then
    backend.next = backend.next % #backend.pods + 1
    return backend.pods[backend.next]
  end
  local cookie = ngx.var.cookie_{COOKIE}
  local tried = ngx.ctx.tried
  if cookie then
    local bar = cookie:find("|", 1, true)
    local pod = bar and cookie:sub(bar + 1) == backend.key and backend.by_key[cookie:sub(1, bar - 1)]
    if pod and not (tried and tried[pod]) then return pod end
  end
  local pod = backend.pods[math.random(#backend.pods)]
  if tried and tried[pod] then
    for _, other in ipairs(backend.pods) do
      if not tried[other] then pod = other end
    end
  end
  ngx.header["Set-Cookie"] = "{COOKIE}=" .. pod.key .. "|" .. backend.key .. "; Path=/; HttpOnly"
  return pod
end

function module.balance()
  local backend = ngx.ctx.backend or backends[ngx.var.proxy_upstream_name]
  if not backend or #backend.pods == 0 then
    ngx.status = 503
    return ngx.exit(503)
  end
  local pod = choose(backend)
  ngx.ctx.tried = ngx.ctx.tried or {{}}
  ngx.ctx.tried[pod] = true
  balancer.set_more_tries(1)
  balancer.set_current_peer(pod.address, pod.port)
end

return module
"""

_MAIN = """\
daemon off;
user {user};
worker_processes 1;
worker_shutdown_timeout 240s;
pid {directory}/nginx.pid;
error_log {directory}/error.log;
load_module {modules}/ndk_http_module.so;
load_module {modules}/ngx_http_lua_module.so;
events {{ multi_accept on; worker_connections 16384; use epoll; }}
http {{
  lua_package_path "{directory}/?.lua;;";
  lua_shared_dict configuration 40m;
  init_by_lua_block {{ balancer = require "bench_balancer" }}
  init_worker_by_lua_block {{ balancer.init_worker() }}
  client_body_temp_path {directory}/body;
  proxy_temp_path {directory}/proxy;
  fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi;
  scgi_temp_path {directory}/scgi;
  access_log off;
  aio threads;
  tcp_nopush on;
  tcp_nodelay on;
  sendfile on;
  reset_timedout_connection on;
  server_tokens off;
  keepalive_timeout 75s;
  keepalive_requests 10000;
  client_header_buffer_size 1k;
  large_client_header_buffers 4 8k;
  underscores_in_headers off;
  server_names_hash_max_size 65536;
  server_names_hash_bucket_size 64;
  map_hash_bucket_size 64;
  ssl_certificate {certificate};
  ssl_certificate_key {certificate};
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache shared:SSL:10m;
  ssl_session_tickets on;
  ssl_buffer_size 4k;
  map $http_upgrade $connection_upgrade {{ default upgrade; "" ""; }}
  map $http_x_request_id $req_id {{ default $http_x_request_id; "" $request_id; }}
  upstream upstream_balancer {{
    server 0.0.0.1;
    balancer_by_lua_block {{ balancer.balance() }}
    keepalive 512;
    keepalive_timeout 60s;
    keepalive_requests 10000;
  }}
  proxy_set_header Host $http_host;
  proxy_set_header Upgrade $http_upgrade;
  proxy_set_header Connection $connection_upgrade;
  proxy_set_header X-Request-ID $req_id;
  proxy_set_header X-Real-IP $remote_addr;
  proxy_set_header X-Forwarded-For $remote_addr;
  proxy_set_header X-Forwarded-Host $http_host;
  proxy_set_header X-Forwarded-Port $server_port;
  proxy_set_header X-Forwarded-Proto $scheme;
  proxy_set_header X-Forwarded-Scheme $scheme;
  proxy_set_header X-Scheme $scheme;
  proxy_set_header X-Original-Forwarded-For $http_x_forwarded_for;
  proxy_set_header Proxy "";
  proxy_connect_timeout 5s;
  proxy_send_timeout 60s;
  proxy_read_timeout 3600s;
  proxy_buffering off;
  proxy_buffer_size 4k;
  proxy_buffers 4 4k;
  proxy_http_version 1.1;
  proxy_next_upstream error timeout;
  proxy_next_upstream_tries 3;
  server {{
    listen unix:{directory}/configuration.sock;
    location / {{
      client_max_body_size 100m;
      content_by_lua_block {{ balancer.receive() }}
    }}
  }}
  server {{
    listen 127.0.0.1:{http} default_server backlog=4096;
    listen 127.0.0.1:{https} default_server ssl http2 backlog=4096;
    return 404;
  }}
{hosts}
}}
"""

_HOST = """\
  server {{
    server_name {host};
    listen 127.0.0.1:{http};
    listen 127.0.0.1:{https} ssl http2;
    location {match} {{
      set $proxy_upstream_name "{name}";
      rewrite_by_lua_block {{ balancer.rewrite() }}
{shape}
      proxy_pass http://upstream_balancer;
      proxy_redirect off;
    }}
  }}
"""

_CORS = f"""\
      add_header Access-Control-Allow-Origin $http_origin always;
      add_header Access-Control-Allow-Credentials true always;
      add_header Access-Control-Allow-Methods "GET, PUT, POST" always;
      add_header Access-Control-Max-Age 600 always;
      add_header {ADDED_HEADER[0]} {ADDED_HEADER[1]} always;
"""
_SHAPED = f"""\
      if ($http_origin ~* (({ORIGIN.replace(".", "[.]")}))$ ) {{ set $cors "true"; }}
      if ($request_method = "OPTIONS") {{ set $cors "${{cors}}options"; }}
      if ($cors = "true") {{
{_CORS}
      }}
      if ($cors = "trueoptions") {{
{_CORS}
      return 204;
      }}
      rewrite "(?i){PREFIX}(/|$)(.*)" /$2 break;
      add_header {ADDED_HEADER[0]} {ADDED_HEADER[1]} always;
"""


class NginxLua(Proxy):
    name = "nginx with Lua"
    settings = "one worker, connections to pods kept, no access log, no buffering, LuaJIT; pods by HTTP, routes by reload"

    @classmethod
    def missing(cls) -> str:
        found = program("nginx") and all((_MODULES / name).exists() for name in _NEEDED)
        return "" if found else "apt-get install -y nginx-light libnginx-mod-http-lua (only their files are used)"

    @classmethod
    def version(cls) -> str:
        return f"{version_of(str(program('nginx')), '-v')}, lua-nginx-module of Debian"

    def start(self, site: Site) -> None:
        directory = self.place.directory
        (directory / "bench_balancer.lua").write_text(_LUA)
        self._write(site)
        arguments = ("-c", str(directory / "nginx.conf"), "-e", str(directory / "error.log"))
        self.children.start("nginx", str(program("nginx")), *arguments)

    def finish(self) -> None:
        self.children.tell(signal.SIGQUIT)  # as ingress-nginx has it told

    def processes(self) -> Sequence[int]:
        return children_of(self.children.pid("nginx"))

    async def configure(self, site: Site) -> None:
        if self._write(site):
            await self.reload()
        await asyncio.to_thread(_put, self.place.directory / "configuration.sock", _backends(site).encode())

    async def reload(self) -> bool:
        os.kill(self.children.pid("nginx"), signal.SIGHUP)
        return True

    def _write(self, site: Site) -> bool:
        """Whether the file is another one now."""
        place = self.place
        text = _MAIN.format(
            directory=place.directory,
            modules=_MODULES,
            # Workers run as who starts them, since only they may read the directory.
            user=pwd.getpwuid(os.getuid()).pw_name,
            certificate=place.certificate,
            http=place.http,
            https=place.https,
            hosts="".join(_server(route, self) for route in site.routes),
        )
        file = place.directory / "nginx.conf"
        changed = not file.exists() or file.read_text() != text
        if changed:
            replace(file, text)
        return changed


def _server(route: Route, proxy: Proxy) -> str:
    match = f'~* "^{PREFIX}(/|$)(.*)"' if route.shaped else "/"
    shape = _SHAPED if route.shaped else ""
    return _HOST.format(
        host=route.host, name=route.name, http=proxy.place.http, https=proxy.place.https, match=match, shape=shape
    )


def _backends(site: Site) -> str:
    return "".join(f"{route.name} {route.sticky:d} {_key(route)} {_pods(route, site)}\n" for route in site.routes)


def _pods(route: Route, site: Site) -> str:
    return " ".join(f"{pod.address}:{route.port}" for pod in site.taking)


def _key(route: Route) -> str:
    return hashlib.md5(route.name.encode(), usedforsecurity=False).hexdigest()


class _Unix(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=30)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(str(self._path))


def _put(path: Path, body: bytes) -> None:
    connection = _Unix(path)
    connection.request("POST", "/configuration/backends", body)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status == 201, answer.status
