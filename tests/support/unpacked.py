"""Mail servers that cannot be installed beside Postfix: unpacked into a folder by tests/install-packages, and run in a mount
namespace of their own, so that the paths and accounts compiled into them need not exist on the machine."""
import os
import pathlib
import pwd
import shlex
import shutil
import subprocess
import unittest

CACHE = pathlib.Path(os.environ.get("POSTERN_TEST_CACHE", "/var/cache/postern-tests"))


def program(package, path):
    return CACHE / package / path


def demand(*files):
    """Fails the test when one of them is missing; skips it only where that was asked for."""
    missing = [str(f) for f in files if not f.exists()]
    if os.geteuid() != 0:
        missing.append("root's rights")
    elif not missing and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        missing.append("the right to make a mount namespace")
    if not missing:
        return
    reason = f"this test needs {', '.join(missing)} (see tests/install-packages)"
    if os.environ.get("POSTERN_TEST_SKIP_PEERS"):
        raise unittest.SkipTest(reason)
    raise RuntimeError(reason)


def _account_files(workspace, names):
    """passwd and group with these accounts added, with numbers nobody has."""
    users, groups = pathlib.Path("/etc/passwd").read_text(), pathlib.Path("/etc/group").read_text()
    number = 64000
    for name in names:
        try:
            pwd.getpwnam(name)
        except KeyError:
            users += f"{name}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n"
            groups += f"{name}:x:{number}:\n"
            number += 1
    return workspace.file("accounts/passwd", users), workspace.file("accounts/group", groups)


def account_numbers(workspace, name):
    """(uid, gid) of an account as it is inside."""
    for line in _account_files(workspace, [name])[0].read_text().splitlines():
        fields = line.split(":")
        if fields[0] == name:
            return int(fields[2]), int(fields[3])
    raise KeyError(name)


def give(path, owner):
    """`owner`: (uid, gid)."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, *owner)
    return path


def inside(workspace, command, accounts=(), files=(), folders=()):
    """The arguments that run `command` with other files at some paths: `files` is (source, path) pairs of files that exist,
    `folders` are paths that are empty there but for the folders named after a colon: "/var/spool:smtpd"."""
    passwd, group = _account_files(workspace, accounts)
    steps = []
    for source, path in [(passwd, "/etc/passwd"), (group, "/etc/group"), *files]:
        steps.append(f"mount --bind {shlex.quote(str(source))} {path}")
    for folder in folders:
        path, _, within = folder.partition(":")
        steps.append(f"mount -t tmpfs -o mode=755 none {path}")
        if within:
            steps.append(f"mkdir -p -m 711 {path}/{within}")
    steps.append("exec " + " ".join(shlex.quote(str(word)) for word in command))
    return [shutil.which("unshare") or "unshare", "--mount", "--propagation", "private", "sh", "-c", " && ".join(steps)]
