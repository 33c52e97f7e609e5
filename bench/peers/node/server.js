/**
 * Socket.IO's own server (ws with bufferutil) under the bench's trigger protocol.
 *
 * The HS256 check is written on node:crypto, which is faster than the usual
 * JWT packages: the peer shall not lose by a library that it need not have.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { createServer } from "node:http";
import { Server } from "socket.io";

const secret = process.env.BENCH_SECRET;

function verify(token) {
  const [header, claims, signature] = String(token).split(".");
  const expected = createHmac("sha256", secret).update(`${header}.${claims}`).digest();
  const given = Buffer.from(signature ?? "", "base64url");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw new Error("bad signature");
  if (JSON.parse(Buffer.from(header, "base64url")).alg !== "HS256") throw new Error("bad algorithm");
  const { sub, exp } = JSON.parse(Buffer.from(claims, "base64url"));
  if (!sub || !(exp > Date.now() / 1000)) throw new Error("expired");
  return sub;
}

const http = createServer((_, response) => response.end("ok"));
const io = new Server(http, { transports: ["websocket", "polling"], serveClient: false });
const namespace = io.of("/notifications");
const rooms = new Map();
let turn = 0;

namespace.use((socket, next) => {
  try {
    socket.data.user = verify(socket.handshake.auth.token);
    next();
  } catch (error) {
    next(error);
  }
});

namespace.on("connection", (socket) => {
  const room = `user:${socket.data.user}`;
  socket.join(room);
  rooms.set(socket.id, room);
  socket.on("disconnect", () => rooms.delete(socket.id));
  socket.on("bench:broadcast", ({ n, payload }) => {
    for (let i = 0; i < n; i++) namespace.emit("notification", payload);
  });
  socket.on("bench:emits", ({ n, payload }) => {
    const everybody = [...rooms.values()];
    for (let i = 0; i < n; i++) namespace.to(everybody[turn++ % everybody.length]).emit("notification", payload);
  });
  socket.on("bench:echo", (payload, acknowledge) => acknowledge(payload));
});

http.listen(Number(process.env.BENCH_PORT), "127.0.0.1", 2048);
