"""Noise of every kind on every door: the server neither stumbles nor keeps anything of it."""

import random

import pytest

from tests.wire.clients import BINARY, CLOSE, PING, PONG, TEXT, Client, client_frame
from tests.wire.conftest import eventually

pytestmark = pytest.mark.usefixtures("bystander")

PIECES = [
    "0", "1", "2", "3", "4", "5", "6", "7", "9", "40", "41", "42", "43", "45", "46", "2probe", "3probe", "b", "bAQ==",
    "/", "/custom", "/custom,", ",", "-", "1-", "2-", "17", "99999999999999999999", "[", "]", "{", "}", "[]", "{}",
    '"', '"message"', '["message"]', '["message-with-ack",1]', '["disconnect"]', '["flood",3,10]', "null", "true",
    '["message",{"_placeholder":true,"num":0}]', '{"refuse":"x"}', '{"token":1}', "\x1e", "\x00", "\u00e9", "\U0001f514"
]  # fmt: skip


def packet(dice: random.Random) -> str:
    return "".join(dice.choices(PIECES, k=dice.randint(0, 5)))


def frames(dice: random.Random) -> bytes:
    """Return some frames, most of them well-formed."""
    data = b""
    for _ in range(dice.randint(1, 8)):
        opcode = dice.choice([TEXT] * 8 + [BINARY, BINARY, 0, PING, PONG, CLOSE, 3, 11])
        payload = packet(dice).encode() if dice.random() < 0.8 else dice.randbytes(dice.randint(0, 200))
        if opcode == CLOSE:
            payload = dice.randint(0, 5000).to_bytes(2, "big") + payload[:100]
        data += client_frame(
            opcode, payload, final=dice.random() < 0.9, rsv=dice.choice([0] * 20 + [0x40]), masked=dice.random() < 0.98
        )
    if dice.random() < 0.2:
        data = data[: dice.randint(0, len(data))]
    return data


@pytest.mark.parametrize("seed", range(8))
async def test_noise_on_websockets(sockets: Client, socket_server, seed):
    """Whatever frames come, each connection ends and nothing of it stays."""
    dice = random.Random(seed)
    for _ in range(25):
        async with await sockets.websocket() as socket:
            if dice.random() < 0.7:
                await socket.send("40")
            await socket.send_raw(frames(dice))

    await eventually(lambda: socket_server.stats["connections"] == 1)


@pytest.mark.parametrize("seed", range(8))
async def test_noise_on_polling(sockets: Client, seed):
    """Whatever bodies come, the answer is ok or 400, and after 400 the session is gone."""
    dice = random.Random(seed)
    for _ in range(8):
        sid = await sockets.polling_session()
        body = "\x1e".join(packet(dice) for _ in range(dice.randint(1, 6))).encode()
        answer = await sockets.push(sid, body if dice.random() < 0.8 else dice.randbytes(dice.randint(0, 300)))
        assert answer.status_code in (200, 400)
        if answer.status_code == 400:
            assert 400 == (await sockets.push(sid, "40")).status_code
        else:
            assert "ok" == answer.text


@pytest.mark.parametrize("seed", range(8))
async def test_noise_before_http(sockets: Client, seed):
    """Bytes that are no request, or a damaged one, get an error or are cut off."""
    dice = random.Random(seed)
    request = (
        f"GET {sockets.path}?EIO=4&transport=websocket HTTP/1.1\r\nHost: {sockets.host}\r\nUpgrade: websocket\r\n"
        "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    for _ in range(25):
        data = bytearray(request)
        for _ in range(dice.randint(1, 6)):
            index = dice.randrange(len(data) - 4)
            data[index : index + dice.randint(0, 3)] = dice.randbytes(dice.randint(0, 3))
        async with await sockets.raw(bytes(data) + b"\r\n\r\n") as socket:
            assert socket.answer.status in (0, 101, 400, 403, 404, 405, 426, 431)
