"""Posts on their way to social platforms, and what others think of them."""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

from flask import Flask

from backend.models import Post, Publication, Reaction, User, db
from backend.services.notifications import (
    notify_post_commented,
    notify_post_liked,
    notify_sns_publish_failed,
    notify_sns_publish_success,
)
from backend.websocket_server import SocketIO, broadcast_sns_event
from tocsin.domain.errors import TocsinError

PLATFORMS = ("instagram", "twitter", "tiktok")

_workers = ThreadPoolExecutor(max_workers=4, thread_name_prefix="publish")


class PublishError(Exception):
    """A platform did not take a post; the message says why."""


def publish_post_to_platforms(post_id: int | str, user_id: int, platforms: list[str]) -> None:
    """
    Publish a post and tell its author; the guide's function.

    Raises:
        PublishError: A platform refused.
    """
    for platform in platforms:
        _hand_to(platform)

    # Notify user via WebSocket
    told = broadcast_sns_event(
        "publish_success",
        user_id,
        {
            "post_id": post_id,
            "platforms": platforms,
            "timestamp": datetime.utcnow().isoformat(),  # noqa: DTZ003 the guide's: an instant without a zone is UTC
        },
    )

    # Also create database notification
    notify_sns_publish_success(user_id, post_id, platforms, lang=_lang_of(user_id))
    told.wait()  # whoever goes on from here may count on the event being on disk


def register(app: Flask, socketio: SocketIO) -> None:
    """Let browsers start a publication: ``window.ws.emit('sns', 'publish_start', {post_id, platforms})``."""

    @socketio.on("publish_start", namespace="/sns")
    def publish_start(user_id: int, data: dict[str, Any]) -> None:
        publication = Publication(user_id=user_id, post_id=data["post_id"], platforms=data["platforms"])
        db.session.add(publication)
        db.session.commit()
        broadcast_sns_event("publish_started", user_id, {key: data[key] for key in ("post_id", "platforms")})
        _workers.submit(_carry_out, app, publication.id)


def resume(app: Flask) -> None:
    """Carry out what the last run had begun: like any queue's, a job may run twice but is never forgotten."""
    for publication_id in db.session.scalars(db.select(Publication.id).filter_by(state="publishing")):
        _workers.submit(_carry_out, app, publication_id)


def _carry_out(app: Flask, publication_id: int) -> None:
    with app.app_context():
        publication = db.session.get(Publication, publication_id)
        post_id, user_id, platforms = publication.post_id, publication.user_id, publication.platforms
        try:
            publish_post_to_platforms(post_id, user_id, platforms)
            publication.state = "published"
        except PublishError as error:
            failed = {"post_id": post_id, "platforms": platforms, "error": str(error)}
            told = broadcast_sns_event("publish_failed", user_id, failed)
            notify_sns_publish_failed(user_id, post_id, platforms, str(error), lang=_lang_of(user_id))
            told.wait()
            publication.state, publication.error = "failed", str(error)
        except TocsinError as error:  # the server stops, or its disk is full
            app.logger.warning("publication %s is left for the next start: %s", publication_id, error)
            return
        except Exception:
            app.logger.exception("publication %s failed", publication_id)
            return
        db.session.commit()


def _hand_to(platform: str) -> None:
    """Stand in for the platform's API: SoftFactory has no accounts there."""
    time.sleep(0.4)
    if platform not in PLATFORMS:
        raise PublishError(f"{platform}: no account is connected")
    if platform == "tiktok":
        raise PublishError("tiktok: it wants a video")


def like(user: User, post: Post) -> None:
    """Like a post once, and tell its author."""
    mine = db.select(Reaction.id).filter_by(user_id=user.id, post_id=post.id, comment=None)
    # One statement: of two presses at once one finds the like of the other.
    like_once = db.insert(Reaction).from_select(
        ["user_id", "post_id"], db.select(db.literal(user.id), db.literal(post.id)).where(~mine.exists())
    )
    if db.session.execute(like_once).rowcount == 0:
        return
    db.session.commit()
    data = {"post_id": post.id, "user_id": user.id, "user_name": user.name, "likes": post.to_dict()["likes"]}
    broadcast_sns_event("post_liked", post.user_id, data)
    notify_post_liked(post.user_id, post.id, user.id, user.name, lang=post.author.lang)


def add_comment(user: User, post: Post, text: str) -> None:
    """Comment on a post, and tell its author."""
    reaction = Reaction(user_id=user.id, comment=text)
    post.reactions.append(reaction)
    db.session.commit()
    data = {"post_id": post.id, "user_id": user.id, "comment_id": reaction.id, "comment": text}
    broadcast_sns_event("post_commented", post.user_id, data | {"user_name": user.name})
    notify_post_commented(post.user_id, post.id, user.id, text, user.name, lang=post.author.lang)


def _lang_of(user_id: int) -> str:
    return db.session.get(User, user_id).lang
