/**
 * The guide's chat component.
 *
 * What is mended, beside what a conversation needs (one's own messages, those of before the reload, a Send button):
 * - every `user_typing` added an entry, so one typist who is announced twice stayed "typing" for ever: now a user is
 *   listed once, and only while it is this conversation's;
 * - `off('chat', 'message_received', null)` removed the handlers of the whole page and forgot `user_typing`: `on`
 *   returns what removes its own handler;
 * - a message's key was its place in the list, and Enter sent what a Korean input method was still composing.
 *
 * What each event does to the messages is in messages.js.
 */

import { useEffect, useRef, useState } from "react";
import { Lock, useEncryption } from "./Encryption.jsx";
import { markedUpTo, merged, removed, without } from "./messages.js";

export function ChatComponent({ userId, recipientId, recipientName, lang, loadHistory, texts, time }) {
  const encryption = useEncryption({ userId, recipientId, recipientName, lang });
  const [messages, setMessages] = useState([]);
  const [outgoing, setOutgoing] = useState([]);
  const [typingUsers, setTypingUsers] = useState([]);
  const [isOnline, setIsOnline] = useState(null);
  const [editing, setEditing] = useState(null);
  const input = useRef(null);
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
    // Whoever comes later than the connection has missed who was there.
    const look = async () => {
      const answer = await window.ws.emitWithAck("chat", "watch", { user_ids: [recipientId] }).catch(() => null);
      const [seen] = answer?.presence ?? [];
      if (!isGone && seen !== undefined) setIsOnline(seen.is_online);
    };
    const removers = [
      window.ws.on("chat", "message_received", (data) => {
        if (data.from_user_id === recipientId) add(data);
      }),
      // What this user sent, from here or from another device.
      window.ws.on("chat", "message_sent", (data) => {
        if (data.to_user_id !== recipientId) return;
        add(data);
        setOutgoing((known) => without(known, data));
      }),
      ...["delivered_at", "read_at"].map((mark) =>
        window.ws.on("chat", `message_${mark.slice(0, -3)}`, (data) =>
          setMessages((known) => markedUpTo(known, data, mark)),
        ),
      ),
      window.ws.on("chat", "message_edited", (data) => {
        setMessages((known) => (known.some((one) => one.id === data.id) ? merged(known, [data]) : known));
      }),
      window.ws.on("chat", "message_deleted", (data) => setMessages((known) => removed(known, data))),
      ...["user_online", "user_offline"].map((event) =>
        window.ws.on("chat", event, ({ user_id }) => user_id === recipientId && setIsOnline(event === "user_online")),
      ),
      window.ws.on("chat", "user_typing", (data) => {
        if (data.user_id !== recipientId) return;
        setTypingUsers((known) => {
          const others = known.filter((id) => id !== data.user_id);
          return data.is_typing ? [...others, data.user_id] : others;
        });
      }),
      window.ws.on("*", "resync", load),
      window.ws.on("*", "state", ({ state }) => {
        if (state === "connected" && !isLoaded) load();
        if (state === "connected") look();
        else setIsOnline(null);
      }),
    ];
    window.ws.connect();
    load();
    look();
    return () => {
      isGone = true;
      for (const remove of removers) remove();
      setMessages([]);
      setTypingUsers([]);
      setIsOnline(null);
    };
  }, [recipientId, loadHistory]);

  // Whoever sees a message has read it, and all before it.
  useEffect(() => {
    const tell = () => {
      if (document.visibilityState !== "visible") return;
      const unread = messages.filter((one) => one.from_user_id === recipientId && one.read_at === null);
      if (unread.length > 0) window.ws.emit("chat", "mark_read", { message_id: unread.at(-1).id });
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
    const key = crypto.getRandomValues(new Uint32Array(4)).join("-");
    const note = (state) => setOutgoing((known) => known.map((one) => (one.key === key ? { ...one, state } : one)));
    setOutgoing((known) => [...known, { key, text, state: "sending" }]);
    // Once it is stored, `message_sent` brings it to this device as to all others, and takes its place here.
    const sent = encryption.isOn
      ? encryption.perform((chat) => chat.send(text, { id: key }))
      : window.ws.sendMessage(recipientId, text);
    sent.then(
      () => note("sent"),
      () => note("notSent"),
    );
  };

  const handleTyping = (isTyping) => {
    window.ws.setTyping(recipientId, isTyping);
  };

  const submit = (event) => {
    event.preventDefault();
    const text = input.current.value;
    if (text.trim() === "") return;
    // Somebody has to look at a new device, or to say how this browser goes on where others have encrypted.
    if (encryption.isHeld || mustTurnOn) return;
    if (editing === null) sendMessage(text);
    else if (editing.isOpen) encryption.perform((chat) => chat.edit(editing, text)).catch(() => {});
    else window.ws.emit("chat", "edit_message", { message_id: editing.id, message: text });
    stopEditing();
  };

  const edit = (message) => {
    setEditing(message);
    input.current.value = message.message;
    input.current.focus();
  };

  const stopEditing = () => {
    setEditing(null);
    input.current.value = "";
  };

  const remove = (message) => window.ws.emit("chat", "delete_message", { message_id: message.id });

  const stateOf = (one) => texts[one.read_at ? "seen" : one.delivered_at ? "delivered" : "sent"];

  const mustTurnOn = !encryption.isChosen && messages.some((one) => one.ciphertext);
  const told = mustTurnOn ? texts.turnOnFirst : encryption.isHeld ? texts.lookFirst : "";
  const textOf = (one) => {
    if (one.deleted_at) return texts.deleted;
    return one.ciphertext && !one.isOpen ? (one.note ?? texts.sealed) : one.message;
  };

  return (
    <div className="chat">
      <Lock encryption={encryption} texts={texts} />
      <p className="presence" role="status" data-online={isOnline === true}>
        {isOnline !== null && (isOnline ? texts.online : texts.offline)}
      </p>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: whoever has no mouse scrolls it by the arrow keys */}
      <div className="messages" role="log" aria-label={texts.chatWith(recipientName)} tabIndex={0} ref={end}>
        {messages.map(encryption.read).map((one) => (
          <Message
            key={one.id}
            isMine={one.from_user_id !== recipientId}
            text={textOf(one)}
            isGone={Boolean(one.deleted_at || (one.ciphertext && !one.isOpen))}
          >
            {one.isOpen && <span className="sealed">{`${texts.locked} · `}</span>}
            {encryption.isOn && !one.ciphertext && !one.deleted_at && `${texts.notEncrypted} · `}
            {time(one.timestamp)}
            {one.edited_at && !one.deleted_at && ` · ${texts.edited}`}
            {one.from_user_id !== recipientId && !one.deleted_at && (
              <>
                {` · ${stateOf(one)}`}
                {one.message !== "" && (
                  <button type="button" className="link" onClick={() => edit(one)}>
                    {texts.edit}
                  </button>
                )}
                <button type="button" className="link" onClick={() => remove(one)}>
                  {texts.takeBack}
                </button>
              </>
            )}
          </Message>
        ))}
        {outgoing.map((one) => (
          <Message key={one.key} isMine text={one.text}>
            {texts[one.state]}
          </Message>
        ))}
      </div>
      <p className="typing-indicator" role="status">
        {told || (typingUsers.length > 0 && texts.typing(recipientName))}
      </p>
      <form className="row" onSubmit={submit}>
        <input
          className="field"
          ref={input}
          type="text"
          name="message"
          placeholder={texts.messageTo(recipientName)}
          aria-label={texts.messageTo(recipientName)}
          autoComplete="off"
          maxLength={2000}
          onKeyDown={(event) => {
            if (event.key === "Enter" && event.nativeEvent.isComposing) event.preventDefault();
            if (event.key === "Escape" && editing !== null) stopEditing();
          }}
          onInput={(event) => handleTyping(event.target.value !== "")}
          onBlur={() => handleTyping(false)}
        />
        <button className="button accent" type="submit">
          {editing === null ? texts.send : texts.save}
        </button>
      </form>
    </div>
  );
}

function Message({ isMine, isGone = false, text, children }) {
  return (
    <div className={["message", isMine && "mine", isGone && "gone"].filter(Boolean).join(" ")}>
      <p dir="auto">{text}</p>
      <small>{children}</small>
    </div>
  );
}
