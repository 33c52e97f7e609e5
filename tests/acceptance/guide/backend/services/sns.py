"""The guide's "Broadcasting from Services", as it stands there."""

from datetime import datetime

from backend.services.notifications import notify_sns_publish_success
from backend.websocket_server import broadcast_sns_event


# Example in SNS service
def publish_post_to_platforms(post_id, user_id, platforms):
    # ... publishing logic ...

    # Notify user via WebSocket
    broadcast_sns_event('publish_success', user_id, {
        'post_id': post_id,
        'platforms': platforms,
        'timestamp': datetime.utcnow().isoformat()
    })

    # Also create database notification
    notify_sns_publish_success(user_id, post_id, platforms)
