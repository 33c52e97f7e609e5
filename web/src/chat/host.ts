/** What a page gives a chat. */

import type { WebSocketClient } from "../client/client.js";
import type { Attachment } from "./state.js";

type Used = "on" | "getToken" | "emitWithAck" | "sendMessage" | "setTyping" | "isConnected";
export type ChatClient = Pick<WebSocketClient, Used> & { readonly origin?: string };

/** Keeps a file where the host keeps files, and returns the link to it. */
export type Upload = (file: File) => Promise<Attachment>;
