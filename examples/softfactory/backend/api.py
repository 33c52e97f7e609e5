"""SoftFactory's own routes; ``/api/notifications`` and ``/api/fcm`` are the server's."""

import re
from typing import Any

from flask import Blueprint, abort, current_app, g, request
from flask.typing import ResponseReturnValue

from .auth import sign_in, signed_in
from .models import Order, Post, Publication, User, db
from .services import chat, orders, sns

api = Blueprint("api", __name__, url_prefix="/api")
# What a column of whole numbers holds: a database asked for more would raise an error of its own.
LAST_ID = 2**31 - 1
ORDER, POST = f"<int(max={LAST_ID}):order_id>", f"<int(max={LAST_ID}):post_id>"
# What no database holds: a NUL, and half of a character.
UNPRINTABLE = re.compile("[\0\ud800-\udfff]")


def _body(**limits: int) -> dict[str, str]:
    """Return the texts of the JSON body, each of 1 to its limit of characters."""
    body = request.get_json()
    if not isinstance(body, dict):
        abort(422)
    texts = {name: body.get(name) for name in limits}
    for name, text in texts.items():
        if not isinstance(text, str) or not 0 < len(text) <= limits[name] or UNPRINTABLE.search(text):
            abort(422)
    return texts


def _other() -> int:
    """Return the other user of a conversation."""
    other_id = request.args.get("with", type=int)
    if other_id is None or not 0 < other_id <= LAST_ID:
        abort(422)
    return other_id


@api.post("/login")
def log_in() -> ResponseReturnValue:
    """Give a token to who knows the password."""
    body = _body(login=40, password=200)
    found = sign_in(body["login"], body["password"])
    if found is None:
        abort(401)
    user, token = found
    return {"user": user.to_dict(), "auth_token": token}


@api.get("/me")
@signed_in
def me() -> ResponseReturnValue:
    """Say who is signed in and with whom they may chat."""
    others = db.session.scalars(db.select(User).where(User.id != g.user.id).order_by(User.id))
    return {
        "user": g.user.to_dict(),
        "others": [other.to_dict() for other in others],
        "catalog": {sku: names[g.user.lang] for sku, names in orders.CATALOG.items()},
        "platforms": sns.PLATFORMS,
    }


@api.get("/orders")
@signed_in
def list_orders() -> ResponseReturnValue:
    """List the user's orders, newest first."""
    mine = db.select(Order).filter_by(user_id=g.user.id).order_by(Order.id.desc()).limit(20)
    return {"orders": [order.to_dict() for order in db.session.scalars(mine)]}


@api.post("/orders")
@signed_in
def place_order() -> ResponseReturnValue:
    """Order something."""
    sku = _body(sku=40)["sku"]
    if sku not in orders.CATALOG:
        abort(422)
    return orders.place_order(g.user, sku).to_dict(), 201


@api.post(f"/orders/{ORDER}/advance")
@signed_in
def advance_order(order_id: int) -> ResponseReturnValue:
    """Do what the warehouse would: move the order one step on."""
    order = orders.advance_order(g.user, order_id)
    return order.to_dict() if order else abort(404)


@api.get("/posts")
@signed_in
def list_posts() -> ResponseReturnValue:
    """List everybody's posts, newest first; one's own with how their last publishing went."""
    posts = db.session.scalars(db.select(Post).order_by(Post.id.desc()).limit(20)).all()
    mine = db.select(Publication).filter_by(user_id=g.user.id).order_by(Publication.id)
    last = {job.post_id: job for job in db.session.scalars(mine)}

    def shown(post: Post) -> dict[str, Any]:
        job = last.get(post.id) if post.user_id == g.user.id else None
        state = {"state": job.state, "platforms": job.platforms, "error": job.error} if job else {}
        return post.to_dict() | state

    return {"posts": [shown(post) for post in posts]}


@api.post("/posts")
@signed_in
def add_post() -> ResponseReturnValue:
    """Keep a post; the browser starts its publication by ``publish_start``."""
    post = Post(user_id=g.user.id, text=_body(text=280)["text"])
    db.session.add(post)
    db.session.commit()
    # Everybody who looks at the feed right now; who comes later loads it anyway.
    current_app.socketio.emit("feed_changed", {"post_id": post.id}, namespace="/sns")
    return post.to_dict(), 201


@api.post(f"/posts/{POST}/like")
@signed_in
def like(post_id: int) -> ResponseReturnValue:
    """Like a post."""
    post = db.get_or_404(Post, post_id)
    sns.like(g.user, post)
    return post.to_dict()


@api.post(f"/posts/{POST}/comments")
@signed_in
def comment(post_id: int) -> ResponseReturnValue:
    """Comment on a post."""
    post = db.get_or_404(Post, post_id)
    sns.add_comment(g.user, post, _body(text=280)["text"])
    return post.to_dict(), 201


@api.get("/messages")
@signed_in
def list_messages() -> ResponseReturnValue:
    """List the last messages with another user."""
    return {"messages": chat.list_messages(g.user.id, _other())}


@api.post("/messages")
@signed_in
def send_message() -> ResponseReturnValue:
    """Send a message over HTTP: what the back end itself would call."""
    chat.send_message(g.user.id, _other(), _body(text=2_000)["text"])
    return {}, 201
