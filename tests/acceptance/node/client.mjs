// A stock Socket.IO client behind a pipe: one JSON command a line in, one JSON line out for each
// answer and event. usage: node client.mjs 4.8|4.5
import { createInterface } from "node:readline";

const packages = { 4.8: "socket.io-client", 4.5: "socket.io-client-4-5" };
const { io } = await import(packages[process.argv[2]]);
const sockets = new Map();
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
let auth = {};

function open({ url, namespaces, transports }) {
  const connected = namespaces.map((namespace) => {
    const socket = io(url + namespace, { auth: (give) => give(auth), transports, reconnectionDelay: 50 });
    sockets.set(namespace, socket);
    socket.onAny((name, ...args) => {
      const answer = args.at(-1);
      if (typeof answer === "function") answer(`대답: ${args[0]}`, { binary: args.some(Buffer.isBuffer) });
      else say({ event: [namespace, name, ...args] });
    });
    socket.on("disconnect", (reason) => say({ event: [namespace, "disconnect", reason] }));
    return new Promise((resolve, reject) => {
      socket.once("connect", () => resolve(socket.id));
      socket.once("connect_error", (error) => reject(Object.assign(new Error(error.message), { data: error.data })));
    });
  });
  return Promise.all(connected);
}

const commands = {
  auth: (value) => {
    auth = value;
  },
  open,
  ask: ([namespace, ...packet]) => new Promise((resolve) => sockets.get(namespace).emit(...packet, resolve)),
  tell: ([namespace, ...packet]) => void sockets.get(namespace).emit(...packet),
  binary: ([namespace, name]) => void sockets.get(namespace).emit(name, { file: Buffer.from([1, 2, 3]) }),
  askBinary: ([namespace, name]) =>
    new Promise((resolve) => sockets.get(namespace).emit(name, { file: Buffer.from([1, 2, 3]) }, resolve)),
  transport: () => sockets.values().next().value.io.engine.transport.name,
};

for await (const line of createInterface({ input: process.stdin })) {
  const { id, command, value } = JSON.parse(line);
  Promise.resolve()
    .then(() => commands[command](value))
    .then(
      (result) => say({ id, result: result ?? null }),
      (error) => say({ id, error: { message: error.message, data: error.data } }),
    );
}
for (const socket of sockets.values()) socket.disconnect();
