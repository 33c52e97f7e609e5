"""The application for each test, on a database of its own, with the two users of ``flask seed``."""

import pytest
from werkzeug.security import generate_password_hash

from backend.app import create_app
from backend.models import Post, User, db


@pytest.fixture
def tocsin_app(tocsin_environment, tmp_path, monkeypatch):
    monkeypatch.setenv("SOFTFACTORY_STATE", str(tmp_path))
    app = create_app()
    with app.app_context():
        db.create_all()
        password = generate_password_hash("kiln", method="pbkdf2:sha256:1")
        mina = User(login="mina", name="Mina", lang="en", password_hash=password)
        junho = User(login="junho", name="준호", lang="ko", password_hash=password)
        db.session.add_all([mina, junho, Post(author=mina, text="Glazed the first bowls today")])
        db.session.commit()
        assert (mina.id, junho.id) == (1, 2)
        db.engine.dispose()
    return app
