"""A pipe for a program's log, and the file it is kept in."""
import fcntl
import os
import select
import threading


class LogPipe:
    """What a program has written here before it went on is in the file after catch_up(); with a file as its log it
    would leave the writing to a thread, and a test would look too early."""

    def __init__(self, file):
        self._file = open(file, "ab", buffering=0)
        self._end, self.write_end = os.pipe()
        fcntl.fcntl(self._end, fcntl.F_SETPIPE_SZ, 1 << 20)
        os.set_blocking(self._end, False)
        self._lock, self._open = threading.Lock(), True
        self._thread = threading.Thread(target=self._copy, daemon=True)

    def start(self):
        """Once the program has its end."""
        os.close(self.write_end)
        self._thread.start()

    def catch_up(self):
        """Copies what is in the pipe; False when nothing will ever come again."""
        with self._lock:
            while self._open:
                try:
                    octets = os.read(self._end, 1 << 16)
                except BlockingIOError:
                    return True
                self._file.write(octets)
                if not octets:
                    self._open = False
                    self._file.close()
            return False

    def _copy(self):
        look = select.poll()
        look.register(self._end, select.POLLIN)
        while self.catch_up():
            look.poll()
        # By nobody else: this thread would go on to look at whatever gets the number next, and keep that open.
        os.close(self._end)
