"""redis-server on a loopback address of the test's own; nothing of it is kept on a disk unless it is told to save."""
import socket
import subprocess

from process import Process

PORT = 6379


class RedisServer:
    def __init__(self, workspace, host=60, arguments=(), password=None, tls=None):
        """`tls`: a certificates.Certificate, with its authority's file as `ca`; then nothing is answered in clear text."""
        self._workspace, self.host, self._password, self._tls = workspace, workspace.host(host), password, tls
        self._folder = workspace.folder(f"redis-{host}")
        self._arguments = ["--bind", self.host, "--dir", self._folder, "--save", "", "--appendonly", "no", "--daemonize", "no",
                           *(["--requirepass", password] if password else []), *arguments]
        if tls:
            self._arguments += ["--port", 0, "--tls-port", PORT, "--tls-cert-file", tls.certificate, "--tls-key-file", tls.key,
                                "--tls-ca-cert-file", tls.ca, "--tls-auth-clients", "no"]
        else:
            self._arguments += ["--port", PORT]
        self.url = f"{'rediss' if tls else 'redis'}://{self.host}:{PORT}"
        self.start()

    def start(self):
        self._process = Process(["redis-server", *self._arguments], self._workspace.path / f"redis-{self.host}.log")
        self._process.wait_for(self._listens, "redis-server")
        return self

    def _listens(self):
        try:
            with socket.create_connection((self.host, PORT), 5):
                return True
        except OSError:
            return False

    def cli(self, *words):
        """What redis-cli prints."""
        secure = ["--tls", "--cacert", self._tls.ca] if self._tls else []
        secret = ["-a", self._password, "--no-auth-warning"] if self._password else []
        done = subprocess.run(["redis-cli", "-h", self.host, "-p", str(PORT), *map(str, secure), *secret, *map(str, words)],
                              capture_output=True, text=True, timeout=60)
        if done.returncode != 0:
            raise AssertionError(f"redis-cli {words}: {done.stdout}{done.stderr}")
        return done.stdout.strip()

    def send_signal(self, number):
        self._process.send_signal(number)

    def kill(self):
        self._process.kill()

    def close(self):
        self._process.kill()
