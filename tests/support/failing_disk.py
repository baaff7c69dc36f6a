"""A disk that one program finds failing or full, from one moment to another (failing_sync.cc)."""
import os
import pathlib

_ROOT = pathlib.Path(__file__).resolve().parents[2]
LIBRARY = pathlib.Path(os.environ.get("FAILING_SYNC_LIBRARY", _ROOT / "build" / "release" / "tests" / "support" / "libfailing_sync.so"))


class FailingDisk:
    def __init__(self, workspace):
        self._file = workspace.path / "failing-sync"
        self.heal()

    def fail(self, number):
        """Every sync fails with that errno, until heal()."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{number}\n")
        new.chmod(0o644)
        os.replace(new, self._file)

    def heal(self):
        self.fail(0)

    @property
    def environment(self):
        """Of the program."""
        if not LIBRARY.exists():
            raise RuntimeError(f"{LIBRARY} is not built")
        return {"LD_PRELOAD": str(LIBRARY), "FAILING_SYNC": str(self._file)}
