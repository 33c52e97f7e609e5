"""Where the guide has its models."""

from flask_sqlalchemy import SQLAlchemy

from tocsin.models import ChatMessage as ChatMessage, Device as Device, Notification as Notification

db = SQLAlchemy()
