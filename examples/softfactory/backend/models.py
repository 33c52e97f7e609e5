"""SoftFactory's own tables, and beside them those that Tocsin adds: all in one database."""

from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy

from tocsin.models import ChatMessage, Device, Notification  # noqa: F401 the guide's import path

db = SQLAlchemy()


def _now() -> datetime:
    return datetime.now(UTC)


class User(db.Model):
    """Somebody who can sign in; ``lang`` is the language that the shop speaks to them."""

    __tablename__ = "users"
    id = db.Column(db.Integer, primary_key=True)
    login = db.Column(db.String(40), unique=True, nullable=False)
    name = db.Column(db.String(80), nullable=False)
    lang = db.Column(db.String(2), nullable=False, default="en")
    password_hash = db.Column(db.String(200), nullable=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what the page may know."""
        return {"id": self.id, "name": self.name, "lang": self.lang}


class Order(db.Model):
    """An order and how far it has come."""

    __tablename__ = "orders"
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("users.id"), nullable=False, index=True)
    item = db.Column(db.String(80), nullable=False)
    status = db.Column(db.String(20), nullable=False)
    location = db.Column(db.String(80))

    @property
    def parcel(self) -> dict[str, str]:
        """Return what the carrier calls the parcel, once there is one."""
        return {"carrier": "Hanjin", "tracking_number": f"HJ{self.id:06}"} if self.location else {}

    def to_dict(self) -> dict[str, Any]:
        """Return the order under the names that its events use."""
        order = {"order_id": self.id, "item": self.item, "status": self.status, "location": self.location}
        return order | self.parcel


class Post(db.Model):
    """A post of a user, and how its last publishing went."""

    __tablename__ = "posts"
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("users.id"), nullable=False, index=True)
    text = db.Column(db.String(280), nullable=False)
    created_at = db.Column(db.DateTime, nullable=False, default=_now)
    author = db.relationship(User)
    reactions = db.relationship("Reaction", order_by="Reaction.id")

    def to_dict(self) -> dict[str, Any]:
        """Return the post with what others made of it."""
        comments = [reaction.to_dict() for reaction in self.reactions if reaction.comment is not None]
        return {
            "post_id": self.id,
            "author": self.author.to_dict(),
            "text": self.text,
            "likes": len(self.reactions) - len(comments),
            "comments": comments,
        }


class Reaction(db.Model):
    """A like, or with a text a comment."""

    __tablename__ = "reactions"
    id = db.Column(db.Integer, primary_key=True)
    post_id = db.Column(db.ForeignKey("posts.id"), nullable=False, index=True)
    user_id = db.Column(db.ForeignKey("users.id"), nullable=False)
    comment = db.Column(db.String(280))
    user = db.relationship(User)

    def to_dict(self) -> dict[str, Any]:
        """Return a comment."""
        return {"id": self.id, "user_name": self.user.name, "comment": self.comment}


class Publication(db.Model):
    """One order to publish a post: kept until it is carried out, so that a crash forgets none."""

    __tablename__ = "publications"
    id = db.Column(db.Integer, primary_key=True)
    user_id = db.Column(db.ForeignKey("users.id"), nullable=False)
    post_id = db.Column(db.JSON, nullable=False)  # a number or a text: the browser may send either
    platforms = db.Column(db.JSON, nullable=False)
    state = db.Column(db.String(10), nullable=False, default="publishing")
    error = db.Column(db.String(200))
