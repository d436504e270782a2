"""What is known of nginx's directives beside those that become steps: which are settings that annotations have too, which have
nothing to say here, which have an effect that is not to be had, and which may keep somebody out."""

SETTINGS = {
    "client_max_body_size": "proxy-body-size",
    "client_body_buffer_size": "client-body-buffer-size",
    "proxy_connect_timeout": "proxy-connect-timeout",
    "proxy_read_timeout": "proxy-read-timeout",
    "proxy_send_timeout": "proxy-send-timeout",
    "grpc_connect_timeout": "proxy-connect-timeout",
    "grpc_read_timeout": "proxy-read-timeout",
    "grpc_send_timeout": "proxy-send-timeout",
    "proxy_buffering": "proxy-buffering",
    "proxy_buffer_size": "proxy-buffer-size",
    "proxy_request_buffering": "proxy-request-buffering",
    "proxy_next_upstream": "proxy-next-upstream",
    "proxy_next_upstream_timeout": "proxy-next-upstream-timeout",
    "proxy_next_upstream_tries": "proxy-next-upstream-tries",
    "grpc_next_upstream": "proxy-next-upstream",
    "proxy_cookie_domain": "proxy-cookie-domain",
    "proxy_cookie_path": "proxy-cookie-path",
    "proxy_ssl_ciphers": "proxy-ssl-ciphers",
    "proxy_ssl_name": "proxy-ssl-name",
    "proxy_ssl_protocols": "proxy-ssl-protocols",
    "proxy_ssl_server_name": "proxy-ssl-server-name",
    "proxy_ssl_verify": "proxy-ssl-verify",
    "proxy_ssl_verify_depth": "proxy-ssl-verify-depth",
    "grpc_ssl_name": "proxy-ssl-name",
    "grpc_ssl_server_name": "proxy-ssl-server-name",
    "grpc_ssl_verify": "proxy-ssl-verify",
}
"""Directives, and the annotation that says the same for the whole Ingress."""

NEEDLESS = {
    "absolute_redirect": "",
    "access_log": "access logs are the controller's affair",
    "aio": "",
    "charset": "the pod says it",
    "chunked_transfer_encoding": "HAProxy chooses the framing",
    "client_body_timeout": "",
    "client_header_buffer_size": "HAProxy has one size for all",
    "client_header_timeout": "",
    "default_type": "counts for the text of `return`",
    "error_log": "",
    "etag": "ETags are passed on",
    "gzip": "compression is the controller's affair",
    "http2_push_preload": "",
    "ignore_invalid_headers": "",
    "keepalive_requests": "",
    "keepalive_timeout": "",
    "large_client_header_buffers": "HAProxy has one size for all",
    "log_not_found": "",
    "merge_slashes": "",
    "port_in_redirect": "",
    "proxy_buffers": "HAProxy has buffers of its own",
    "proxy_busy_buffers_size": "HAProxy has buffers of its own",
    "proxy_headers_hash_bucket_size": "",
    "proxy_headers_hash_max_size": "",
    "proxy_http_version": "HAProxy speaks 1.1 or 2 to pods",
    "proxy_max_temp_file_size": "nothing is written to files",
    "proxy_pass_header": "HAProxy hides none",
    "proxy_ssl_session_reuse": "",
    "proxy_temp_file_write_size": "nothing is written to files",
    "reset_timedout_connection": "",
    "resolver": "",
    "resolver_timeout": "",
    "sendfile": "",
    "send_timeout": "",
    "server_name_in_redirect": "",
    "server_tokens": "HAProxy tells no version",
    "tcp_nodelay": "",
    "tcp_nopush": "",
    "underscores_in_headers": "",
    "variables_hash_bucket_size": "",
    "variables_hash_max_size": "",
}
"""Directives with which there is nothing to do, and why."""

NEEDLESS_BEGINNINGS = (
    "gzip_",
    "log_",
    "open_file_cache",
    "brotli",
    "proxy_temp_",
    "lua_package",
    "opentelemetry",
    "opentracing",
)

SKIPPED = {
    "error_page": "pages for errors are those of custom-http-errors",
    "proxy_cookie_flags": "cookies go on as the pod sends them",
    "proxy_ignore_headers": "",
    "proxy_intercept_errors": "pages for errors are those of custom-http-errors",
    "proxy_redirect": "the pod's Location goes on as it is",
    "proxy_ssl_certificate": "files of nginx are not there; use proxy-ssl-secret",
    "proxy_ssl_certificate_key": "files of nginx are not there; use proxy-ssl-secret",
    "proxy_ssl_trusted_certificate": "files of nginx are not there; use proxy-ssl-secret",
    "sub_filter": "bodies are passed on as they are",
    "sub_filter_last_modified": "bodies are passed on as they are",
    "sub_filter_once": "bodies are passed on as they are",
    "sub_filter_types": "bodies are passed on as they are",
    "recursive_error_pages": "",
}
"""Directives that would change something which is not to be had, and which keep nobody out."""

SKIPPED_BEGINNINGS = ("proxy_cache", "proxy_no_cache")

DEFINITIONS = ("map", "geo", "limit_req_zone", "limit_conn_zone", "log_format", "upstream", "split_clients", "lua_shared_dict",
               "proxy_cache_path", "include_shell", "init_by_lua_block", "init_worker_by_lua_block")  # fmt: skip
"""What only defines something; the directives that use it are not known here, or its variables are not."""

OFF = ("auth_request", "auth_basic", "modsecurity", "limit_rate", "mirror")
"""What switches something off when it says `off`; guards of the Ingress stay all the same."""

HOP_BY_HOP = ("connection", "upgrade", "keep-alive", "transfer-encoding", "content-length", "te", "trailer", "proxy-connection")
"""Headers that HAProxy itself looks after."""
