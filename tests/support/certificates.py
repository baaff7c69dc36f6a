"""A certificate authority for one test, by the openssl command."""
import hashlib
import pathlib
import ssl
import subprocess


def _openssl(*arguments):
    return subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True).stdout


def tlsa(certificate: pathlib.Path, usage=3, selector=1, matching=1):
    """A TLSA record's data (RFC 6698 §2.1) for this certificate."""
    if selector == 1:
        public = certificate.with_suffix(".public")
        public.write_bytes(_openssl("x509", "-in", certificate, "-noout", "-pubkey"))
        octets = _openssl("pkey", "-pubin", "-in", public, "-outform", "DER")
    else:
        octets = _openssl("x509", "-in", certificate, "-outform", "DER")
    digest = {0: bytes.hex, 1: lambda o: hashlib.sha256(o).hexdigest(), 2: lambda o: hashlib.sha512(o).hexdigest()}
    return f"TLSA {usage} {selector} {matching} {digest[matching](octets)}"


class Certificate:
    def __init__(self, certificate: pathlib.Path, key: pathlib.Path):
        self.certificate = certificate
        self.key = key

    def server_context(self, ciphers=None):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if ciphers:
            context.set_ciphers(ciphers)
        context.load_cert_chain(self.certificate, self.key)
        return context


class Authority:
    def __init__(self, workspace, name="certificates"):
        self._folder = workspace.folder(name)
        self.certificate = self._folder / "ca.pem"
        self._key = self._folder / "ca.key"
        _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
                 "-subj", "/CN=Authority of a test", "-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", self._key, "-out", self.certificate)

    def issue(self, *names, key=("ec", "-pkeyopt", "ec_paramgen_curve:P-256"), alternatives=None):
        """A certificate for host names and IPv4 addresses; `key` as openssl wants it behind -newkey. `alternatives`: its
        alternative names, when they are others than `names`, of which the first is the common name."""
        first = names[0]
        kind = key
        key, request, certificate, extensions = (self._folder / f"{first}.{end}" for end in ("key", "csr", "pem", "ext"))
        named = ",".join(("IP:" if n.replace(".", "").isdigit() else "DNS:") + n for n in alternatives or names)
        extensions.write_text(f"subjectAltName={named}\nbasicConstraints=CA:FALSE\n")
        _openssl("req", "-newkey", *kind, "-nodes", "-subj", f"/CN={first}",
                 "-keyout", key, "-out", request)
        _openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self._key, "-CAcreateserial",
                 "-days", "2", "-extfile", extensions, "-out", certificate)
        key.chmod(0o644)  # of a test; the services that read it run as different users
        return Certificate(certificate, key)

    def client_context(self, verify=True):
        context = ssl.create_default_context(cafile=str(self.certificate))
        if not verify:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
