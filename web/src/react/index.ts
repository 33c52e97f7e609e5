/** The package `@tocsin/client/react`: the inbox and a conversation as hooks. */

export { type Chat, useChat } from "./chat.js";
export {
  type InboxActions,
  type Notifications,
  type NotificationsOptions,
  useNotifications,
  useUnread,
} from "./inbox.js";
