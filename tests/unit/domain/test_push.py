from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tocsin.domain.push import PushMessage, fitted


def _size(message: PushMessage) -> int:
    return len(f"{message.title}{message.body}{message.data or ''}".encode())


def test_a_message_that_fits_is_left_as_it_is():
    """Nothing is cut from what the provider takes."""
    message = PushMessage(title="Order shipped", body="It left Busan", data={"order_id": 5})

    assert message is fitted(message, _size)


@given(st.text(max_size=4_000), st.integers(min_value=50, max_value=4_096))
def test_what_is_too_long_is_cut_in_the_body(body: str, room: int):
    """The result fits, keeps the title, and its body begins as it was."""
    message = PushMessage(title="Order", body=body)

    cut = fitted(message, _size, room)

    assert _size(cut) <= room
    assert cut.title == message.title
    assert body.startswith(cut.body.removesuffix("…"))


def test_as_much_of_the_body_stays_as_has_room():
    """Not one character more is cut than must be."""
    cut = fitted(PushMessage(title="", body="가" * 2_000), _size, 302)

    assert "가" * 99 + "…" == cut.body


def test_data_that_leave_no_room_for_a_line_go_whole():
    """Half of the data would mislead an app."""
    message = PushMessage(title="Order", body="b" * 500, data={"blob": "x" * 4_000}, notification_id="n1")

    assert replace(message, data={}) == fitted(message, _size)


def test_data_stay_when_a_line_of_the_body_fits_with_them():
    """The body gives way before the data do."""
    message = PushMessage(title="Order", body="b" * 4_000, data={"blob": "x" * 3_000})

    cut = fitted(message, _size)

    assert message.data == cut.data
    assert _size(cut) <= 4_096
    assert len(cut.body) > 1_000


def test_a_repr_tells_no_text():
    """A message may stand in a log line by accident."""
    shown = repr(PushMessage(title="secret", body="secret", data={"k": "secret"}, link="/secret"))

    assert "secret" not in shown
