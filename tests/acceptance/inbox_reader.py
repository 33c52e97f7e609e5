"""A user with an inbox, and the back end that fills it, over real HTTP and sockets."""

import datetime as dt

from tests.acceptance.wire_socket import connected

INBOX = "/api/notifications"
NAMESPACE = "/notifications"


class Inbox:
    """One user's inbox and the back end that fills it."""

    def __init__(self, server, user_id):
        self.server = server
        self.user_id = user_id
        self.token = server.mint(user_id)
        self.publisher = server.bearer("back end", "publish")

    def post(self, **fields):
        body = {"user_id": self.user_id, "type": "order", "title": "Shipped", "message": "On its way"} | fields
        if "user_ids" in body or "topic" in body:
            del body["user_id"]
        return self.server.http.post(INBOX, headers=self.publisher, json=body)

    def publish(self, **fields):
        answer = self.post(**fields)
        assert answer.status_code in (201, 202), answer.text
        return answer.json()

    def request(self, method, path, **options):
        headers = {"Authorization": f"Bearer {self.token}"}
        return self.server.http.request(method, INBOX + path, headers=headers, **options)

    def listed(self, **query):
        answer = self.request("GET", "", params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def titles(self, **query):
        return [one["title"] for one in self.listed(**query)["notifications"]]

    def change(self, notification, **marks):
        answer = self.request("PATCH", f"/{notification['id']}", json=marks)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def prefer(self, **said):
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.server.http.put("/api/preferences", headers=headers, json=said)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def open(self):
        return connected(self.server.url, NAMESPACE, self.token)


def soon(seconds):
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).isoformat()
