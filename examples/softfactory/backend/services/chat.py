"""Chat messages that the back end sends, and those that were said."""

from typing import Any

from backend.models import ChatMessage, db
from backend.websocket_server import broadcast_chat_message


def send_message(from_user_id: int, to_user_id: int, message_text: str) -> None:
    """Store a message and deliver it; the guide's function as it stands there."""
    # Save to database
    msg = ChatMessage(from_user_id=from_user_id, to_user_id=to_user_id, message=message_text)
    db.session.add(msg)
    db.session.commit()

    # Broadcast to recipient
    broadcast_chat_message(from_user_id, to_user_id, message_text)


def list_messages(user_id: int, other_id: int, limit: int = 50) -> list[dict[str, Any]]:
    """Return the last messages between two users, oldest first; the model is an ordinary SQLAlchemy one."""
    between = db.or_(
        db.and_(ChatMessage.from_user_id == user_id, ChatMessage.to_user_id == other_id),
        db.and_(ChatMessage.from_user_id == other_id, ChatMessage.to_user_id == user_id),
    )
    newest = db.select(ChatMessage).where(between).order_by(ChatMessage.id.desc()).limit(limit)
    return [message.to_dict() for message in reversed(db.session.scalars(newest).all())]
