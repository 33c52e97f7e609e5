"""
A Firebase that pushes nothing: FCM v1 and Google's token endpoint on loopback.

    with FakeFcm() as fcm:
        settings = {"firebase_credentials_path": fcm.write_key(folder), "fcm_url": fcm.url}
        fcm.answer("a token", UNREGISTERED)
        ...
        assert fcm.sent[0]["notification"]["title"] == "Order shipped"

It checks what Firebase checks: the access token, one target a message, strings
in ``data``, 4,096 bytes.
"""

import asyncio
import itertools
import json
import secrets
from collections import Counter, defaultdict, deque
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qs

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tocsin.testing.loopback import LoopbackServer

_PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found"}
_FCM_ERROR = "type.googleapis.com/google.firebase.fcm.v1.FcmError"
_MAX_BYTES = 4_096
# What google-auth signs for, wherever ``token_uri`` points.
_AUDIENCE = "https://oauth2.googleapis.com/token"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What Firebase says to a message.

    Attributes:
        status: Of HTTP.
        code: Google's word for it.
        error_code: Firebase's own word, in the details; None: there are none.
        retry_after: The header, as it is.
        behaviour: ``hang`` never answers, ``cut`` closes the connection, ``junk`` answers what is no JSON.
    """

    status: int = 200
    code: str = ""
    error_code: str | None = None
    retry_after: str | None = None
    behaviour: Literal["answer", "hang", "cut", "junk"] = "answer"

    def after(self, retry_after: float | str) -> "Answer":
        """Return the same with a ``Retry-After``."""
        return replace(self, retry_after=str(retry_after))

    def body(self) -> dict[str, Any]:
        """Return the JSON of an error."""
        details = [] if self.error_code is None else [{"@type": _FCM_ERROR, "errorCode": self.error_code}]
        error = {"code": self.status, "message": "as the fake was told", "status": self.code, "details": details}
        return {"error": error}


TAKEN = Answer()
UNREGISTERED = Answer(404, "NOT_FOUND", "UNREGISTERED")
INVALID_ARGUMENT = Answer(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT")
SENDER_ID_MISMATCH = Answer(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH")
THIRD_PARTY_AUTH_ERROR = Answer(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR")
QUOTA_EXCEEDED = Answer(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED")
UNAVAILABLE = Answer(503, "UNAVAILABLE", "UNAVAILABLE")
INTERNAL = Answer(500, "INTERNAL", "INTERNAL")
HANG = Answer(behaviour="hang")
CUT = Answer(behaviour="cut")
JUNK = Answer(behaviour="junk")


class FakeFcm(LoopbackServer):
    """
    Firebase in a thread of this process; a context manager. Safe from any thread.

    Attributes:
        url: For the setting ``fcm_url``.
        sent: The messages that it took, as JSON, without those of dry runs.
        requests: How often it was asked to send to each target, dry runs included.
        signed_in: How many access tokens it gave.
    """

    project_id = "fake-project"

    def __init__(self) -> None:
        super().__init__("fake-fcm")
        self.sent: list[dict[str, Any]] = []
        self.requests: Counter[str] = Counter()
        self.signed_in = 0
        self._key = generate_private_key(public_exponent=65_537, key_size=2048)
        self._once: dict[str, deque[Answer]] = defaultdict(deque)
        self._always: dict[str, Answer] = {}
        self._for_all = TAKEN
        self._sign_in_status = 200
        self._access_tokens: set[str] = set()
        self._numbers = itertools.count(1)

    # From any thread

    def answer(self, target: str, *answers: Answer) -> None:
        """Say what the next messages for a token or an installation id get, one after another; then what all get."""
        self._once[target].extend(answers)

    def always(self, target: str, answer: Answer) -> None:
        """Say what every message for a token or an installation id gets."""
        self._always[target] = answer

    def answer_all(self, answer: Answer) -> None:
        """Say what every message gets that nothing else was said for."""
        self._for_all = answer

    def wait(self, count: int = 1, timeout_s: float = 20.0) -> dict[str, Any]:
        """
        Return message number ``count`` of ``sent``, as soon as it was taken.

        Raises:
            TimeoutError: It was not.
        """
        return self._wait_in(self.sent, count, timeout_s)

    def refuse_sign_in(self, status: int = 400) -> None:
        """Give no more access tokens (400: the key was revoked), and take back those that were given."""
        self._sign_in_status = status
        self.forget_access()

    def accept_sign_in(self) -> None:
        """Give access tokens again."""
        self._sign_in_status = 200

    def forget_access(self) -> None:
        """Take back every access token, as after an hour: they are answered with 401."""
        self._access_tokens.clear()

    def key(self) -> dict[str, str]:
        """Return what a key file of its project holds."""
        private = self._key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
        return {
            "type": "service_account",
            "project_id": self.project_id,
            "private_key_id": "fake",
            "private_key": private,
            "client_email": f"push@{self.project_id}.iam.gserviceaccount.com",
            "token_uri": f"{self.url}/token",
        }

    def write_key(self, folder: Path) -> Path:
        """Write the key file into a folder and return its path, for ``firebase_credentials_path``."""
        path = folder / "firebase.json"
        path.write_text(json.dumps(self.key()))
        return path

    # In its thread

    async def _serve_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split()[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        if path == "/token":
            self._reply(writer, *self._sign_in(parse_qs(body.decode())))
            return True
        answer = self._message(path, headers.get("authorization", ""), body)
        if isinstance(answer, Answer):
            if answer.behaviour == "hang":
                await asyncio.Event().wait()
            if answer.behaviour == "cut":
                return False
            if answer.behaviour == "junk":
                self._reply(writer, answer.status, None)
            else:
                self._reply(writer, answer.status, answer.body(), answer.retry_after)
        else:
            self._reply(writer, 200, answer)
        await writer.drain()
        return True

    @staticmethod
    def _reply(
        writer: asyncio.StreamWriter, status: int, body: dict[str, Any] | None, retry_after: str | None = None
    ) -> None:
        content = b"<html>not Firebase</html>" if body is None else json.dumps(body).encode()
        extra = "" if retry_after is None else f"Retry-After: {retry_after}\r\n"
        head = f"HTTP/1.1 {status} {_PHRASES.get(status, 'Error')}\r\nContent-Length: {len(content)}\r\n{extra}"
        writer.write(f"{head}Content-Type: application/json\r\n\r\n".encode() + content)

    def _sign_in(self, form: dict[str, list[str]]) -> tuple[int, dict[str, Any]]:
        if self._sign_in_status != 200:
            return self._sign_in_status, {"error": "invalid_grant", "error_description": "as the fake was told"}
        try:
            jwt.decode(form["assertion"][0], self._key.public_key(), ["RS256"], audience=_AUDIENCE)
        except (KeyError, jwt.InvalidTokenError):
            return 400, {"error": "invalid_grant"}
        token = secrets.token_urlsafe()
        self._access_tokens.add(token)
        self.signed_in += 1
        return 200, {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _message(self, path: str, authorization: str, body: bytes) -> dict[str, Any] | Answer:
        if path != f"/v1/projects/{self.project_id}/messages:send":
            return Answer(404, behaviour="junk")
        if authorization.removeprefix("Bearer ") not in self._access_tokens:
            return Answer(401, "UNAUTHENTICATED")
        request = json.loads(body)
        message = request["message"]
        targets = [message[name] for name in ("token", "fid", "topic", "condition") if name in message]
        if len(targets) != 1 or not _is_well_formed(message):
            return INVALID_ARGUMENT
        self.requests[targets[0]] += 1
        answer = self._pick(targets[0])
        if answer is not TAKEN:
            return answer
        if not request.get("validate_only"):
            self._take_in(self.sent, message)
        return {"name": f"projects/{self.project_id}/messages/{next(self._numbers)}"}

    def _pick(self, target: str) -> Answer:
        if once := self._once.get(target):
            return once.popleft()
        return self._always.get(target, self._for_all)


def _is_well_formed(message: dict[str, Any]) -> bool:
    data = message.get("data", {})
    words = message.get("notification", {})
    size = len(json.dumps({"data": data, "notification": words}, ensure_ascii=False).encode())
    reserved = any(name in {"from", "message_type"} or name.startswith(("google.", "gcm.")) for name in data)
    return all(isinstance(value, str) for value in data.values()) and not reserved and size <= _MAX_BYTES
