"""``flask seed``: two users to try everything with, and something to look at."""

import click
from flask.cli import with_appcontext
from werkzeug.security import generate_password_hash

from .models import Post, User, db
from .services.chat import send_message
from .services.orders import place_order

# Known to every reader: whoever serves more than their own machine makes users of their own.
PASSWORD = "softfactory"  # noqa: S105 it is told on the page
USERS = ((1, "mina", "Mina", "en"), (2, "junho", "준호", "ko"))


@click.command
@with_appcontext
def seed() -> None:
    """Make the two users of the example, unless there are users."""
    if db.session.scalar(db.select(db.func.count()).select_from(User)):
        return
    password_hash = generate_password_hash(PASSWORD)
    users = [
        User(id=number, login=login, name=name, lang=lang, password_hash=password_hash)
        for number, login, name, lang in USERS
    ]
    mina, junho = users
    db.session.add_all(
        [
            *users,
            Post(author=mina, text="Glazed the first bowls today 🏺"),
            Post(author=junho, text="새 작업실에서 첫 촬영 📸"),
        ]
    )
    db.session.commit()
    place_order(mina, "teapot")
    place_order(junho, "lamp")
    send_message(junho.id, mina.id, "점심 같이 먹을래요? 🍜")
    send_message(mina.id, junho.id, "Yes! 12:30, usual place")
