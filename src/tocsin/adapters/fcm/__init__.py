"""Firebase Cloud Messaging: the sender, and the check of its key file. firebase-admin is loaded by its worker only."""

from tocsin.adapters.fcm.key import NotUsable, read_key
from tocsin.adapters.fcm.sender import FcmSender

__all__ = ["FcmSender", "NotUsable", "read_key"]
