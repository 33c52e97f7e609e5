"""A server whose answer never ends: each byte comes in time, and the whole does not."""

import asyncio
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def dripping(byte, head=b""):
    """Yield its port; where there is a head, it comes once the client has asked."""
    connections = set()

    async def drip(reader, writer):
        try:
            if head:
                await reader.read(1)
            writer.write(head)
            while True:
                writer.write(byte)
                await writer.drain()
                await asyncio.sleep(0.1)
        finally:
            writer.close()
            with suppress(ConnectionError):
                await writer.wait_closed()

    def accept(reader, writer):
        connection = asyncio.create_task(drip(reader, writer))
        # Also of one that is cancelled before it has begun.
        connection.add_done_callback(lambda _: writer.close())
        connections.add(connection)

    async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
        for connection in connections:
            connection.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
