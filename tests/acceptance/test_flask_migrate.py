"""The guide's migration, with the real commands: our tables in the host's own database, beside its own."""

import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conftest import SECRET
from tocsin.adapters.sql import schema

APPLICATION = """
from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from tocsin.models import ChatMessage, Notification
from tocsin.websocket_server import init_websocket

db = SQLAlchemy()


class Message(db.Model):
    __tablename__ = "message"
    id = db.Column(db.Integer, primary_key=True)
    text = db.Column(db.String(80))


class Note(db.Model):
    __tablename__ = "notification"
    id = db.Column(db.Integer, primary_key=True)


def create_app():
    app = Flask(__name__, instance_path=app_folder())
    app.config["SQLALCHEMY_DATABASE_URI"] = "sqlite:///app.db"
    app.config["SECRET_KEY"] = "a secret for tests, of more than thirty-two bytes"
    socketio = init_websocket(app)
    app.socketio = socketio
    db.init_app(app)
    Migrate(app, db)
    return app


def app_folder():
    from pathlib import Path

    return str(Path(__file__).parent)


def use(app):
    with app.app_context():
        db.session.add(Message(text="mine"))
        db.session.add(Notification(user_id=1, title="Hello"))
        db.session.add(ChatMessage(from_user_id=1, to_user_id=2, message="Hi"))
        db.session.commit()
        print(Notification.query.filter_by(user_id=1).count(), Message.query.count())
"""


@dataclass
class Project:
    folder: Path

    @property
    def database(self) -> Path:
        return self.folder / "app.db"

    def run(self, *command: str) -> str:
        """Run a Python module or text in a process of its own; it must end well."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TOCSIN_", "FLASK_"))}
        environment = kept | {"TOCSIN_DATABASE_URL": f"sqlite:///{self.database}", "TOCSIN_JWT_SECRET": SECRET}
        done = subprocess.run(
            [sys.executable, *command],
            cwd=self.folder,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert 0 == done.returncode, done.stdout + done.stderr
        return done.stdout + done.stderr

    def flask_db(self, *arguments: str) -> str:
        return self.run("-m", "flask", "--app", "app", "db", *arguments)

    def tocsin(self, *arguments: str) -> str:
        return self.run("-c", "from tocsin.cli import main; main()", *arguments)

    def rows(self, statement: str) -> list:
        connection = sqlite3.connect(self.database)
        found = connection.execute(statement).fetchall()
        connection.close()
        return found

    def versions(self) -> list[Path]:
        return list((self.folder / "migrations" / "versions").glob("*.py"))


@pytest.fixture
def project(tmp_path):
    (tmp_path / "app.py").write_text(APPLICATION, encoding="utf-8")
    return Project(tmp_path)


def test_the_guides_commands_make_our_tables_in_the_hosts_database(project):
    """init, migrate, upgrade; a second migrate finds nothing, our own upgrade changes nothing, all of it works."""
    project.flask_db("init")
    project.flask_db("migrate", "-m", "Add WebSocket notification models")
    (version,) = project.versions()
    assert "tocsin." not in version.read_text(encoding="utf-8").replace("tocsin.db", "")
    project.flask_db("upgrade")
    tables = {name for (name,) in project.rows("SELECT name FROM sqlite_master WHERE type = 'table'")}
    assert {*schema.metadata.tables, "message", "notification", "alembic_version"} == tables

    before = project.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    project.tocsin("db", "upgrade")
    assert before == project.rows("SELECT name, sql FROM sqlite_master ORDER BY name")
    assert [] == project.rows("SELECT * FROM tocsin_version")
    assert "No changes in schema detected" in project.flask_db("migrate", "-m", "Nothing")
    assert [version] == project.versions()

    assert "1 1" in project.run("-c", "import app; app.use(app.create_app())")
    assert [("1", "message_sent"), ("1", "notification"), ("2", "message_received")] == project.rows(
        "SELECT user_id, event FROM tocsin_stream_event ORDER BY user_id, namespace"
    )
