"""An HTTPS server with one MTA-STS policy (RFC 8461 §3.3)."""
import http.server
import socketserver
import ssl
import threading

PATH = "/.well-known/mta-sts.txt"


def policy(*exchangers, mode="enforce", max_age=86400):
    """The text of a policy."""
    return "".join(f"{key}: {value}\r\n" for key, value in
                   [("version", "STSv1"), ("mode", mode), *(("mx", name) for name in exchangers), ("max_age", max_age)])


class _Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """A client that does not like the certificate is no fault of the server."""


class PolicyServer:
    """`text`, `status` and `content_type` can be changed while it runs; `requests` are (host, path) pairs."""

    def __init__(self, address, certificate, text, port=443):
        self.text, self.status, self.content_type, self.headers = text, 200, "text/plain", {}
        self.requests = []
        self._place, self._certificate, self._server = (address, port), certificate, None
        self.start()

    def start(self):
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                self.request.settimeout(60)
                self.request = outer._context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_GET(self):
                outer.requests.append((self.headers.get("Host", "").partition(":")[0], self.path))
                body = outer.text.encode()
                status = outer.status if self.path == PATH else 404
                self.send_response(status)
                for name, value in {"Content-Type": outer.content_type, "Content-Length": len(body), **outer.headers}.items():
                    self.send_header(name, str(value))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(self._certificate.certificate, self._certificate.key)
        self._server = _Server(self._place, Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        """Connections are refused from now on, until start()."""
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None
