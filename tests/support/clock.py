"""The wall clock that one program sees, to be set while it runs; what only passes is not touched (Debian: faketime)."""
import os
import pathlib

_LIBRARIES = sorted(pathlib.Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))


class Clock:
    def __init__(self, workspace, days=0):
        self._file = workspace.path / "clock"
        self.set(days)

    def set(self, days):
        """So many days ahead of the true time, or behind it."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{round(days * 86400):+d}\n")
        new.chmod(0o644)
        os.replace(new, self._file)

    @property
    def environment(self):
        if not _LIBRARIES:
            raise RuntimeError("install faketime: see tests/install-packages")
        return {"LD_PRELOAD": str(_LIBRARIES[0]), "FAKETIME_TIMESTAMP_FILE": str(self._file), "FAKETIME_NO_CACHE": "1",
                "FAKETIME_DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1", "NO_FAKE_STAT": "1"}
