"""Our RFC 6455 parser against the one of the websockets library."""

from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.speedups import apply_mask

from fuzz.targets.frames import MAX_PAYLOAD, theirs
from tocsin.engine.frames import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, FrameError, FrameParser


def frame(opcode: int, payload: bytes, mask: bytes, *, final: bool = True, rsv: int = 0, masked: bool = True) -> bytes:
    length = len(payload)
    bit = 0x80 if masked else 0
    head = bytes(((0x80 if final else 0) | rsv | opcode,))
    if length < 126:
        head += bytes((bit | length,))
    else:
        head += bytes((bit | 126,)) + length.to_bytes(2, "big")
    return head + mask + apply_mask(payload, mask) if masked else head + payload


masks = st.binary(min_size=4, max_size=4)
payloads = st.binary(max_size=150) | st.text(max_size=100).map(str.encode)
control = st.builds(frame, st.sampled_from([PING, PONG]), st.binary(max_size=125), masks)


@st.composite
def messages(draw) -> bytes:
    """One message, whole or in fragments with control frames between them."""
    opcode = draw(st.sampled_from([TEXT, BINARY]))
    text = draw(st.text(max_size=200)).encode() if opcode == TEXT else draw(payloads)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=4)))
    parts = [text[i:j] for i, j in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    data = b""
    for index, part in enumerate(parts):
        final = index == len(parts) - 1
        data += frame(CONTINUATION if index else opcode, part, draw(masks), final=final)
        if not final:
            data += b"".join(draw(st.lists(control, max_size=2)))
    return data


closes = st.builds(
    frame,
    st.just(CLOSE),
    st.just(b"") | st.binary(max_size=10) | st.integers(990, 1020).map(lambda code: code.to_bytes(2, "big") + b"why"),
    masks,
)
faults = st.one_of(
    st.builds(frame, st.sampled_from([3, 5, 7, 11, 15]), payloads, masks),
    st.builds(frame, st.just(CONTINUATION), payloads, masks),
    st.builds(lambda p, m, r: frame(TEXT, p, m, rsv=r), payloads, masks, st.sampled_from([0x40, 0x20, 0x10, 0x70])),
    st.builds(lambda p, m: frame(TEXT, p, m, masked=False), payloads, masks),
    st.builds(lambda p, m: frame(PING, p, m, final=False), st.binary(max_size=20), masks),
    st.builds(lambda m: frame(PONG, b"x" * 126, m), masks),
    st.builds(lambda m, n: frame(BINARY, b"x" * n, m), masks, st.integers(MAX_PAYLOAD + 1, MAX_PAYLOAD + 500)),
    st.builds(
        lambda m, n: frame(BINARY, b"x" * 3000, m, final=False) + frame(CONTINUATION, b"x" * n, m),
        masks,
        st.integers(1000, 1200),
    ),
    st.builds(lambda m: frame(TEXT, b"a", m, final=False) + frame(BINARY, b"b", m), masks),
    st.builds(lambda p, m: frame(TEXT, p, m), st.binary(max_size=20), masks),
    closes,
)


@st.composite
def conversations(draw) -> list[bytes]:
    """Reads that hold messages, perhaps a fault, and more messages; cut anywhere."""
    parts = draw(st.lists(messages() | control, max_size=5))
    if draw(st.booleans()):
        parts += [draw(faults), *draw(st.lists(messages(), max_size=2))]
    data = b"".join(parts)
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=6)))
    return [data[i:j] for i, j in zip([0, *cuts], [*cuts, len(data)], strict=True)]


def ours(reads: list[bytes]) -> tuple[list, int | None]:
    parser = FrameParser(MAX_PAYLOAD, 100)
    messages = []
    try:
        for data in reads:
            for message in parser.feed(data):
                messages.append(message)  # noqa: PERF402, keep what came before a fault
    except FrameError as fault:
        return messages, fault.code
    return messages, None


@settings(max_examples=500)
@given(conversations())
def test_same_messages_and_close_codes(reads):
    """Valid or not, in whatever reads, both give the same messages and the same code."""
    assert theirs(reads) == ours(reads)
