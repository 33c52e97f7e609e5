"""A Socket.IO client in memory: it says packets and hears texts."""

import asyncio

from tests.unit.engine.fakes import FakeTcp, texts
from tocsin.engine.websocket import WebSocketTransport


class Client:
    """A client in memory; ``said`` is what it got since it last asked."""

    def __init__(self, server):
        server.bind()
        self.server = server
        self.tcp = FakeTcp()
        self.connection, _ = server.open("203.0.113.5", ())
        transport = WebSocketTransport(server, self.connection, connections=set())
        self.tcp.protocol = transport
        transport.connection_made(self.tcp)
        self.connection.start(transport)

    def say(self, *packets):
        for packet in packets:
            self.connection.packet_received(packet)
        return self

    async def said(self):
        await settle()
        heard = texts(self.tcp.sent)
        self.tcp.writes.clear()
        return heard

    @property
    def socket(self):
        return self.connection._sockets[0]


async def settle():
    for _ in range(10):
        await asyncio.sleep(0)


async def connected(server, *packets):
    client = Client(server).say("40", *packets)
    await client.said()
    return client
