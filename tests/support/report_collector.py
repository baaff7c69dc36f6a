"""An HTTPS server that takes what is posted to it."""
import http.server
import ssl
import threading


class Collector:
    """`posted` are (path, header, body); `status` is what each is answered, and can be changed while it runs."""

    def __init__(self, address, certificate, status=201, port=443):
        self.posted, self.status = [], status
        outer = self
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate.certificate, certificate.key)

        class Handler(http.server.BaseHTTPRequestHandler):
            def setup(self):
                self.request.settimeout(60)
                self.request = context.wrap_socket(self.request, server_side=True)
                super().setup()

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.posted.append((self.path, self.headers, body))
                self.send_response(outer.status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, client_address):
                """A client that does not like the certificate is no fault of the server."""

        self._server = Server((address, port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()
