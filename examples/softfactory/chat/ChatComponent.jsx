/**
 * The guide's chat component.
 *
 * What is mended, beside what a conversation needs (one's own messages, those of before the reload, a Send button):
 * - every `user_typing` added an entry, so one typist who is announced twice stayed "typing" for ever: now a user is
 *   listed once, and only while it is this conversation's;
 * - `off('chat', 'message_received', null)` removed the handlers of the whole page and forgot `user_typing`: `on`
 *   returns what removes its own handler;
 * - a message's key was its place in the list, and Enter sent what a Korean input method was still composing.
 */

import { useEffect, useRef, useState } from "react";

export function ChatComponent({ recipientId, recipientName, loadHistory, texts, time }) {
  const [messages, setMessages] = useState([]);
  const [outgoing, setOutgoing] = useState([]);
  const [typingUsers, setTypingUsers] = useState([]);
  const end = useRef(null);

  useEffect(() => {
    let isGone = false;
    const add = (...some) => setMessages((known) => merged(known, some));
    let isLoaded = false;
    const load = async () => {
      const history = await loadHistory().catch(() => null);
      if (isGone || history === null) return;
      isLoaded = true;
      add(...history);
      setOutgoing((known) => known.filter((one) => one.state !== "sent"));
    };
    const removers = [
      window.ws.on("chat", "message_received", (data) => {
        if (data.from_user_id === recipientId) add(data);
      }),
      // What this user sent, from here or from another device.
      window.ws.on("chat", "message_sent", (data) => {
        if (data.to_user_id !== recipientId) return;
        add(data);
        setOutgoing((known) => without(known, data.message));
      }),
      window.ws.on("chat", "message_read", ({ message_id, read_at }) => {
        setMessages((known) => known.map((one) => (one.id === message_id ? { ...one, read_at } : one)));
      }),
      window.ws.on("chat", "user_typing", (data) => {
        if (data.user_id !== recipientId) return;
        setTypingUsers((known) => {
          const others = known.filter((id) => id !== data.user_id);
          return data.is_typing ? [...others, data.user_id] : others;
        });
      }),
      window.ws.on("*", "resync", load),
      window.ws.on("*", "state", ({ state }) => state === "connected" && !isLoaded && load()),
    ];
    window.ws.connect();
    load();
    return () => {
      isGone = true;
      for (const remove of removers) remove();
      setMessages([]);
      setTypingUsers([]);
    };
  }, [recipientId, loadHistory]);

  // Whoever sees a message has read it.
  useEffect(() => {
    const tell = () => {
      if (document.visibilityState !== "visible") return;
      const unread = messages.filter((one) => one.from_user_id === recipientId && one.read_at === null);
      for (const { id } of unread) window.ws.emit("chat", "mark_read", { message_id: id });
    };
    tell();
    document.addEventListener("visibilitychange", tell);
    return () => document.removeEventListener("visibilitychange", tell);
  }, [messages, recipientId]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: a message more moves the end
  useEffect(() => {
    end.current?.scrollTo({ top: end.current.scrollHeight });
  }, [messages.length, outgoing.length]);

  const sendMessage = (text) => {
    const key = crypto.getRandomValues(new Uint32Array(2)).join("-");
    const note = (state) => setOutgoing((known) => known.map((one) => (one.key === key ? { ...one, state } : one)));
    setOutgoing((known) => [...known, { key, text, state: "sending" }]);
    // Once it is stored, `message_sent` brings it to this device as to all others, and takes its place here.
    window.ws.sendMessage(recipientId, text).then(
      () => note("sent"),
      () => note("notSent"),
    );
  };

  const handleTyping = (isTyping) => {
    window.ws.setTyping(recipientId, isTyping);
  };

  const submit = (event) => {
    event.preventDefault();
    const input = event.target.elements.message;
    if (input.value.trim() === "") return;
    sendMessage(input.value);
    input.value = "";
  };

  return (
    <div className="chat">
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by the arrow keys */}
      <div className="messages" role="log" aria-label={texts.chatWith(recipientName)} tabIndex={0} ref={end}>
        {messages.map((one) => (
          <Message key={one.id} isMine={one.from_user_id !== recipientId} text={one.message}>
            {time(one.timestamp)}
            {one.from_user_id !== recipientId && ` · ${one.read_at === null ? texts.sent : texts.seen}`}
          </Message>
        ))}
        {outgoing.map((one) => (
          <Message key={one.key} isMine text={one.text}>
            {texts[one.state]}
          </Message>
        ))}
      </div>
      <p className="typing-indicator" role="status">
        {typingUsers.length > 0 && texts.typing(recipientName)}
      </p>
      <form className="row" onSubmit={submit}>
        <input
          className="field"
          type="text"
          name="message"
          placeholder={texts.messageTo(recipientName)}
          aria-label={texts.messageTo(recipientName)}
          autoComplete="off"
          maxLength={2000}
          onKeyDown={(event) => {
            if (event.key === "Enter" && event.nativeEvent.isComposing) event.preventDefault();
          }}
          onInput={(event) => handleTyping(event.target.value !== "")}
          onBlur={() => handleTyping(false)}
        />
        <button className="button accent" type="submit">
          {texts.send}
        </button>
      </form>
    </div>
  );
}

function Message({ isMine, text, children }) {
  return (
    <div className={isMine ? "message mine" : "message"}>
      <p dir="auto">{text}</p>
      <small>{children}</small>
    </div>
  );
}

/** The first that waits with this text is the one that has arrived. */
function without(outgoing, text) {
  const arrived = outgoing.find((one) => one.text === text && one.state !== "notSent");
  return outgoing.filter((one) => one !== arrived);
}

/** Ids of messages sort by their time (UUIDv7), so the history and the events may come in any order. */
function merged(known, some) {
  const byId = new Map(known.map((one) => [one.id, one]));
  for (const one of some) byId.set(one.id, { ...one, read_at: byId.get(one.id)?.read_at ?? one.read_at });
  return [...byId.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}
