import { createRoot } from "react-dom/client";
import { ChatComponent } from "./ChatComponent.jsx";

/** Show the chat in an element of a page that is not React's; returns what takes it away. */
export function mountChat(element, props) {
  const root = createRoot(element);
  root.render(<ChatComponent {...props} />);
  return () => root.unmount();
}
