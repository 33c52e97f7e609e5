"""What the tests of host events share: users and events of their own, a handler that waits."""

import threading
from contextlib import asynccontextmanager

from tests.acceptance.wire_socket import wire

GAME = "/game"
DEADLINE_S = 20.0


class Gate:
    """A sync handler that tells when it has begun and waits until it is let go."""

    def __init__(self) -> None:
        self.begun: list[object] = []
        self.ended: list[object] = []
        self.open = threading.Event()

    def __call__(self, user_id, data):
        self.begun.append(data)
        assert self.open.wait(DEADLINE_S)
        self.ended.append(data)
        return {"data": data}


@asynccontextmanager
async def joined(server, user, *namespaces):
    """Open a connection with namespaces of the host."""
    async with wire(server.url) as socket:
        for namespace in namespaces or (GAME,):
            await socket.connect(namespace, {"token": server.mint(user)})
        yield socket
