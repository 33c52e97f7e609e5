/** A page in React over the hooks of the package. */

import { useState } from "react";
import { createRoot } from "react-dom/client";
import { useChat, useNotifications, useUnread } from "./src/react/index.js";

function Bell() {
  return <output id="unread">{useUnread()}</output>;
}

function Inbox() {
  const [tab, setTab] = useState("all");
  const { notifications, hasMore, isLoading, loadMore, actions } = useNotifications({ tab });
  return (
    <section>
      <button type="button" onClick={() => setTab(tab === "all" ? "archived" : "all")}>
        {tab}
      </button>
      <ul id="inbox" aria-busy={isLoading}>
        {notifications.map((one) => (
          <li key={one.id}>
            <b>{one.title}</b>
            <button type="button" onClick={() => actions.archive(one.id)}>
              archive
            </button>
          </li>
        ))}
      </ul>
      {hasMore && (
        <button type="button" onClick={loadMore}>
          more
        </button>
      )}
    </section>
  );
}

function Chat({ peer }) {
  const { messages, pending, actions } = useChat(peer);
  return (
    <section>
      <ul id="chat">
        {messages.map((one) => (
          <li key={one.id}>{one.message}</li>
        ))}
      </ul>
      <output id="pending">{pending.length}</output>
      <button type="button" onClick={() => actions.send("<b>hello</b>")}>
        send
      </button>
    </section>
  );
}

function Page() {
  const [isShown, setShown] = useState(true);
  return (
    <main>
      <Bell />
      <button type="button" onClick={() => setShown(!isShown)}>
        toggle
      </button>
      {isShown && <Inbox />}
      <Chat peer={document.querySelector("#root").dataset.peer} />
    </main>
  );
}

createRoot(document.querySelector("#root")).render(<Page />);
