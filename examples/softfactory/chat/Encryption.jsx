/**
 * Encryption of one conversation: `/js/e2ee.js`, loaded when somebody turns it on, and remembered in this browser.
 *
 * Nothing goes in clear by itself: not while it is on, nor where others have encrypted and nobody was asked.
 */

import { useCallback, useEffect, useReducer, useRef, useState } from "react";

const ON = "on";
const OFF = "off";

export function useEncryption({ userId, recipientId, recipientName, lang }) {
  const name = `encrypted ${userId} ${recipientId}`;
  const [choice, setChoice] = useState(() => localStorage.getItem(name));
  const [problem, setProblem] = useState("");
  const [chat, setChat] = useState(null);
  const [, redraw] = useReducer((count) => count + 1, 0);
  const loaded = useRef(null);
  const isOn = choice === ON;

  const choose = useCallback(
    (chosen) => {
      localStorage.setItem(name, chosen);
      setChoice(chosen);
    },
    [name],
  );

  useEffect(() => {
    if (!isOn) return;
    let opened = null;
    let isGone = false;
    const open = async () => {
      loaded.current = await import("/js/e2ee.js");
      const explain = (code) => setProblem(code ? loaded.current.explainFailure(code, lang) : "");
      const onChange = () => {
        if (opened?.problem) explain(opened.problem);
        redraw();
      };
      const onWait = () => explain("in_use");
      const options = { name: recipientName, lang, onChange, onWait, onTurnOff: () => choose(OFF) };
      try {
        const made = await loaded.current.openSealedChat(window.ws, recipientId, options);
        if (isGone) return made.close();
        opened = made;
        // Remembered once it works here.
        choose(ON);
        explain("");
        setChat(made);
      } catch (error) {
        explain(error.code ?? "unreachable");
        setChoice(localStorage.getItem(name));
      }
    };
    open().catch((error) => {
      setProblem(error.message);
      setChoice(localStorage.getItem(name));
    });
    return () => {
      isGone = true;
      opened?.close();
      setChat(null);
    };
  }, [isOn, recipientId, recipientName, lang, name, choose]);

  /** The text of a message, or why there is none; the message itself where it is not encrypted. */
  const read = (one) => {
    if (one.deleted_at || !one.ciphertext) return one;
    const shown = chat?.find(one);
    if (!shown) return one;
    if (shown.reason) return { ...one, note: `🔒 ${loaded.current.explain(shown.reason, lang)}` };
    return { ...one, message: shown.text, isOpen: true };
  };

  /** Send or change a text under `work`, and say why where it fails. */
  const perform = async (work) => {
    try {
      if (chat === null) throw Object.assign(new Error("not open"), { code: "unreachable" });
      await work(chat);
      setProblem("");
    } catch (error) {
      setProblem(loaded.current?.explainFailure(error.code, lang) ?? error.message);
      throw error;
    }
  };

  return {
    ...{ isOn, problem, read, perform },
    isChosen: choice !== null,
    isHeld: chat?.isHeld === true,
    panel: chat?.panel ?? null,
    turnOn: () => setChoice(ON),
  };
}

/** The lock, and below it what there is to know of devices. */
export function Lock({ encryption, texts }) {
  const { isOn, panel, problem, turnOn } = encryption;
  const place = useRef(null);
  const isOpen = panel?.isOpen === true;

  useEffect(() => {
    place.current.replaceChildren(...(panel === null ? [] : [panel.element]));
  }, [panel]);

  const press = () => {
    if (!isOn) turnOn();
    else if (panel !== null) panel.isOpen = !isOpen;
  };
  return (
    <>
      <button type="button" className="lock" aria-expanded={isOn ? isOpen : undefined} onClick={press}>
        {isOn ? texts.locked : texts.unlocked}
      </button>
      <div className="encryption" ref={place} />
      <p className="encryption-status" role="status">
        {problem}
      </p>
    </>
  );
}
