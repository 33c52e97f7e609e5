"""Our tables in a host's metadata: plain, and there whenever Flask-SQLAlchemy comes."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Column, Integer, MetaData, Table

from tests.unit.models.log import hosts_engine
from tocsin.adapters.sql import schema, upgrade_schema
from tocsin.adapters.sql.migrate import latest, upgrade
from tocsin.models import Notification, add_tables, add_tables_of


def test_copies_are_plain_and_make_the_schema(engine, tmp_path):
    """They have SQLAlchemy's own types, names of the host's convention or not, and nothing differs from ours."""
    metadata = MetaData(naming_convention={"pk": "pk_host_%(table_name)s", "ck": "host_%(constraint_name)s"})
    own = Table("message", metadata, Column("id", Integer, primary_key=True))
    add_tables(metadata)
    add_tables(metadata)  # once more changes nothing

    assert {"message", *schema.metadata.tables} == set(metadata.tables)
    types = {type(column.type).__module__ for table in metadata.tables.values() for column in table.c}
    assert {"sqlalchemy.sql.sqltypes"} == types
    with engine.connect() as connection:
        own.create(connection)
        assert [] == compare_metadata(MigrationContext.configure(connection), metadata)


def flask_app(tmp_path):
    app = Flask("host")
    app.config["SQLALCHEMY_DATABASE_URI"] = f"sqlite:///{tmp_path / 'flask.db'}"
    return app


def test_tables_come_though_the_database_comes_later(tmp_path):
    """db.init_app after our call: the tables are there in the first application context."""
    app, db = flask_app(tmp_path), SQLAlchemy()
    add_tables_of(app)
    with app.app_context():
        pass  # a host may have none yet
    db.init_app(app)

    with app.app_context():
        assert "tocsin_stream" in db.metadata.tables
        db.create_all()
        db.engine.dispose()
    assert latest() == upgrade(str(tmp_path / "flask.db"))  # left to the host


def test_models_have_the_query_of_flask_sqlalchemy(tmp_path):
    """With its pages, in the session of the context."""
    app, db = flask_app(tmp_path), SQLAlchemy()
    db.init_app(app)
    add_tables_of(app)

    with app.app_context():
        db.create_all()
        db.session.add(Notification(user_id=7, title="Hello"))
        db.session.commit()
        page = Notification.query.filter_by(user_id=7).paginate(per_page=5)
        assert ["Hello"] == [one.title for one in page.items]
        assert page.items[0] is Notification.query.first_or_404()
        db.session.remove()
        db.engine.dispose()


def test_a_hosts_tables_on_postgresql_sort_by_bytes(databases):
    """The server takes them as they are, and pages and locks go by the order that Python knows."""
    metadata = MetaData()
    add_tables(metadata)
    with databases.database() as url, hosts_engine(url) as engine:
        metadata.create_all(engine)
        assert latest() == upgrade_schema(url)
        with engine.connect() as connection:
            others = "SELECT DISTINCT collation_name FROM information_schema.columns WHERE data_type = 'text'"
            kinds = connection.exec_driver_sql(f"{others} AND table_name LIKE 'tocsin%%'").all()
    assert [("C",)] == kinds
