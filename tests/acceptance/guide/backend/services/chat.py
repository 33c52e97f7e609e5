"""The guide's "Chat Message Handling", as it stands there."""

from backend.models import ChatMessage, db
from backend.websocket_server import broadcast_chat_message


def send_message(from_user_id, to_user_id, message_text):
    # Save to database
    msg = ChatMessage(
        from_user_id=from_user_id,
        to_user_id=to_user_id,
        message=message_text
    )
    db.session.add(msg)
    db.session.commit()

    # Broadcast to recipient
    broadcast_chat_message(from_user_id, to_user_id, message_text)
