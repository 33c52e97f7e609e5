/** The module `/js/e2ee.js`: end-to-end encryption of chat, loaded by a page when it is used. Nothing acts by being imported. */

export type { KeyChange } from "./contacts.js";
export type { Conversation, ConversationDevices, ConversationEvents, SendOptions } from "./conversation.js";
export {
  type ChatClient,
  type Encryption,
  type EncryptionEvents,
  type EncryptionOptions,
  enableEncryption,
  resetDevice,
} from "./encryption.js";
export type { DeviceIdentity } from "./machine.js";
export type { Panel } from "./panel.js";
export type { ConversationMessage, SealedAttachment } from "./reading.js";
export { remedyFor } from "./reset.js";
export { openSealedChat, type SealedChat, type SealedChatOptions } from "./sealed_chat.js";
export { sharedEncryption } from "./shared.js";
export { explain, explainFailure, type Reason } from "./texts.js";
