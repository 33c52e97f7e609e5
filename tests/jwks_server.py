"""An issuer of tokens on loopback, whose key set misbehaves on command."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

ISSUER = "https://id.example.com"
_KINDS: dict[str, tuple[Any, Callable[[], Any]]] = {
    "RS256": (
        jwt.algorithms.RSAAlgorithm,
        lambda: rsa.generate_private_key(public_exponent=65_537, key_size=2_048),
    ),
    "ES256": (jwt.algorithms.ECAlgorithm, lambda: ec.generate_private_key(ec.SECP256R1())),
    "EdDSA": (jwt.algorithms.OKPAlgorithm, ed25519.Ed25519PrivateKey.generate),
}


class Issuer:
    """
    Makes keys, publishes their public halves, signs tokens.

    Attributes:
        url: Of the key set.
        paths: What was asked for, in order.
        answer: Sends something else than the key set; None: the key set.
        delay_s: Seconds before it answers.
    """

    def __init__(self) -> None:
        self.url = ""
        self.paths: list[str] = []
        self.answer: Callable[[BaseHTTPRequestHandler], None] | None = None
        self.delay_s = 0.0
        self.extra: list[Any] = []
        self._keys: dict[str, tuple[str, Any]] = {}

    def add_key(self, kid: str, algorithm: str = "ES256") -> None:
        self._keys[kid] = (algorithm, _KINDS[algorithm][1]())

    def drop_key(self, kid: str) -> None:
        del self._keys[kid]

    @property
    def jwks(self) -> list[Any]:
        return [
            {**_KINDS[algorithm][0].to_jwk(private.public_key(), as_dict=True), "kid": kid, "use": "sig"}
            for kid, (algorithm, private) in self._keys.items()
        ]

    def mint(self, kid: str, user_id: str = "7", *, headers: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a token signed by a key; ``headers`` and ``claims`` replace the usual ones."""
        algorithm, private = self._keys[kid]
        now = int(time.time())
        payload = {"sub": user_id, "iat": now, "exp": now + 3_600, "iss": ISSUER} | claims
        names = {name: value for name, value in ({"kid": kid} | (headers or {})).items() if value is not None}
        return jwt.encode(payload, private, algorithm=algorithm, headers=names)

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        self.paths.append(request.path)
        time.sleep(self.delay_s)
        with suppress(OSError):
            if self.answer is not None:
                self.answer(request)
            else:
                send(request, 200, orjson.dumps({"keys": [*self.extra, *self.jwks]}))


def send(request: BaseHTTPRequestHandler, status: int, body: bytes = b"", **headers: str) -> None:
    request.send_response(status)
    for name, value in {"Content-Length": str(len(body)), **headers}.items():
        request.send_header(name.replace("_", "-"), value)
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def issuer() -> Iterator[Issuer]:
    """Serve an issuer on a free port of loopback."""
    one = Issuer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            one.serve(self)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            pass

    server = Server(("127.0.0.1", 0), Handler)
    one.url = f"http://127.0.0.1:{server.server_port}/keys?v=1"
    thread = threading.Thread(target=server.serve_forever, name="tocsin-test-issuer")
    thread.start()
    try:
        yield one
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
