"""Push: Firebase as the guide's troubleshooting checks it and further, Web Push, other channels."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

from tocsin.adapters.fcm.key import NotUsable, read_key
from tocsin.cli.doctor.finding import Findings, first_line, ok, problem, warning
from tocsin.settings import Settings

_IMPORT_S = 60
_OTHERS_MAY_READ = 0o077


def look(settings: Settings) -> Findings:
    """Look at every provider that is set up."""
    yield from _firebase(settings.firebase_credentials_path)
    yield from _web_push(settings)


def _firebase(path: Path | None) -> Findings:
    if path is None:
        yield ok("firebase", "FIREBASE_CREDENTIALS_PATH is not set: no push to phones")
        return
    yield from _imports("firebase_admin", "fcm", "Firebase")
    try:
        key = read_key(path)
        mode = path.stat().st_mode
    except (NotUsable, OSError) as error:
        yield problem("firebase", f"FIREBASE_CREDENTIALS_PATH {first_line(error)}", "see `Push to phones` in the docs")
        return
    yield ok("firebase", f"the key of a service account of the project {json.dumps(key['project_id'])}")
    if mode & _OTHERS_MAY_READ:
        yield warning("firebase", "others on this machine may read the key file", f"chmod 600 {path}")


def _imports(module: str, extra: str, name: str) -> Findings:
    """Do what the guide does: ``python -c "import firebase_admin; print('Firebase OK')"``, in a process of its own."""
    command = [sys.executable, "-c", f"import {module}; print('{name} OK')"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_IMPORT_S, check=False)  # noqa: S603 ours
        reason = (done.stderr.strip().splitlines() or [f"status {done.returncode}"])[-1]
        is_well = done.returncode == 0
    except (OSError, subprocess.TimeoutExpired) as error:
        reason, is_well = first_line(error), False
    if is_well:
        yield ok(extra, f'python -c "import {module}" works')
    else:
        yield problem(extra, f'python -c "import {module}" fails: {reason}', f"pip install 'tocsin[{extra}]'")


def _web_push(settings: Settings) -> Findings:
    if importlib.util.find_spec("pywebpush") is None:
        yield ok("webpush", "the package pywebpush is not installed: no push to browsers")
        return
    yield from _imports("pywebpush", "webpush", "Web Push")
    if settings.vapid_subject is None:
        yield warning(
            "webpush",
            "push services can't tell whom to write to, and Apple's refuses pushes",
            "set TOCSIN_VAPID_SUBJECT to mailto:… or https://…",
        )
    else:
        yield ok("webpush", f"TOCSIN_VAPID_SUBJECT is {settings.vapid_subject}")
