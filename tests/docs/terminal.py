"""The terminals of a reader: each keeps its folder and its variables; what serves goes on in the background."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import Self

LIMIT_S = 120
READY_S = 90
# What a server says when it answers; a shell of bash ignores keys for what it puts into the background.
_READY = r"https?://|ready\.|Listening at"
# What goes on until it is stopped; the next line is typed elsewhere.
_SERVES = re.compile(
    r"^((?:[A-Z_]+=\S+ )*(?:tocsin (?:serve|demo)|python app\.py|gunicorn|celery .*worker|uvicorn)\b.*)$", re.MULTILINE
)
_STEP = """
set -aeo pipefail
serving() {{
  LOG="$SERVING.$((SERVED += 1))"
  setsid env --default-signal=INT,QUIT "$@" >"$LOG" 2>&1 & PID=$!
  echo $PID >>"$SERVING.pids"
}}
curl() {{ command curl --fail-with-body "$@"; }}
{code}
pwd >{state}.cwd
env -0 >{state}
"""


_WAIT = """for _ in $(seq {limit}0); do
  grep -qE '{ready}' "$LOG" && break
  kill -0 $PID || break
  sleep 0.1
done
grep -qE '{ready}' $LOG"""


class Failed(AssertionError):
    """A step did not do what the page says."""


class Terminals:
    """
    Types what a page says; a context manager, at whose end nothing of it runs any more.

    Args:
        folder: Where the reader begins.
        env: The environment that they begin with.
        limit_s: Seconds that what is typed at once may take.
    """

    def __init__(self, folder: Path, env: dict[str, str], limit_s: float = LIMIT_S) -> None:
        self.folder = folder
        self._env = env
        self._limit_s = limit_s
        self._kept = folder.with_name(f"{folder.name}.kept")
        self._kept.mkdir()
        self._states: dict[str, tuple[Path, dict[str, str]]] = {}
        self._serving: list[tuple[str, int]] = []
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for _terminal, pid in self._serving:
            _end(pid, signal.SIGKILL)

    def state(self, terminal: str = "1") -> tuple[Path, dict[str, str]]:
        """Return the folder and the variables of a terminal."""
        return self._states.get(terminal, (self.folder, self._env))

    def type(self, code: str, terminal: str = "1") -> str:
        """
        Run lines of a shell, return what they print.

        Raises:
            Failed: One ends with an error, or what should serve does not begin to.
        """
        self._count += 1
        state = self._kept / f"{self._count}.state"
        log = self._kept / f"{self._count}.log"
        folder, env = self.state(terminal)
        waiting = _WAIT.format(limit=READY_S, ready=_READY)
        program = _STEP.format(
            code=_SERVES.sub(lambda found: f"serving {found[1]}\n{waiting}", code),
            state=state,
        )
        try:
            done = subprocess.run(
                ["bash", "-c", program],
                cwd=folder,
                env=env | {"SERVING": str(log)},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=self._limit_s,
                check=False,
            )
        finally:
            if (pids := log.with_name(f"{log.name}.pids")).exists():
                self._serving += [(terminal, int(pid)) for pid in pids.read_text().split()]
        if done.returncode:
            told = "".join(one.read_text() for one in sorted(self._kept.glob(f"{log.name}.[0-9]")))
            raise Failed(f"{code}\n{done.stdout[-2000:]}{done.stderr[-2000:]}{told[-3000:]}")
        kept = dict(line.split("=", 1) for line in state.read_text().split("\0") if "=" in line)
        for ours in ("SERVING", "SERVED", "LOG", "PID"):
            kept.pop(ours, None)
        self._states[terminal] = (Path(state.with_name(f"{state.name}.cwd").read_text().strip()), kept)
        return done.stdout

    def press(self, keys: str, terminal: str = "1") -> None:
        r"""Press Ctrl+\ or Ctrl+C where something serves, and wait for its end."""
        sent = {"Ctrl+\\": signal.SIGQUIT, "Ctrl+C": signal.SIGINT}[keys]
        for place, pid in [one for one in self._serving if one[0] == terminal]:
            self._serving.remove((place, pid))
            _end(pid, sent)


def _end(pid: int, sent: int) -> None:
    """Send a signal to a session of ours and wait until it is gone, for it is not our child."""
    try:
        os.killpg(pid, sent)
        for _ in range(300):
            os.killpg(pid, 0)
            time.sleep(0.1)
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
