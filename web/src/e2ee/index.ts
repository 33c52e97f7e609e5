/** The module `/js/e2ee.js`: end-to-end encryption of chat, loaded by a page when it is used. Nothing acts by being imported. */

export type { KeyChange } from "./contacts.js";
export type { Conversation, ConversationDevices, ConversationEvents } from "./conversation.js";
export {
  type ChatClient,
  type Encryption,
  type EncryptionEvents,
  type EncryptionOptions,
  enableEncryption,
} from "./encryption.js";
export type { DeviceIdentity } from "./machine.js";
export type { ConversationMessage } from "./reading.js";
export { explain, type Reason } from "./texts.js";
