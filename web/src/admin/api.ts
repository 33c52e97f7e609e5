/** Calls of the REST API with the operator's token, and the shapes of what they answer. */

import { token } from "./token.js";

export interface Ranges {
  bounds: number[];
  counts: number[];
  total: number;
}

export interface NodeFigures {
  name: string;
  version: string;
  started_at: string;
  accepting: boolean;
  bus_connected: boolean;
  gauges: Record<string, number>;
  counters: Record<string, number>;
  histograms: Record<string, Ranges>;
}

export interface Overview {
  at: string;
  answered_by: string;
  nodes: NodeFigures[];
}

export interface Session {
  id: string;
  node: string;
  user_id: number | string;
  transport: string;
  address: string | null;
  since: string;
  expires_at: string;
  queued_bytes: number;
  sockets: Record<string, string>;
}

export interface StreamState {
  namespace: string;
  seq: number;
  acked: number;
  pruned: number;
  events: { seq: number; event: string; created_at: string; about: string | null }[];
}

export interface User {
  user_id: number | string;
  is_online: boolean;
  last_seen_at: string | null;
  inbox: { unread: number; unseen: number; total: number; by_category: Record<string, number> };
  devices: {
    id: string;
    token: string;
    platform: string;
    device_name: string | null;
    created_at: string;
    last_seen_at: string;
  }[];
  browsers: { id: string; host: string; created_at: string }[];
  topics: string[];
  sessions: Session[];
  has_more_sessions: boolean;
  epoch: string;
  streams: StreamState[];
}

export interface Found {
  id: string;
  type: string;
  title: string;
  created_at: string;
  state: string;
}

export interface Step {
  at: string | null;
  channel: string;
  kind: string;
  text: string;
  target: string | null;
  label: string | null;
  node: string | null;
  is_bad: boolean;
}

export interface Trace {
  notification_id: string;
  user_id: number | string;
  state: string;
  verdict: string;
  type: string | null;
  title: string | null;
  category: string | null;
  priority: string | null;
  seq: number | null;
  created_at: string | null;
  timeline: Step[];
  unknown: string[];
}

export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }

  /** The token is the reason: it is missing, has ended, or lacks the scope. */
  get isForToken(): boolean {
    return this.status === 401 || this.status === 403;
  }
}

/** Make a call and return its JSON; throws `Refused` with the problem's detail, also when the server is away or leaves halfway. */
export async function call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
  const headers: Record<string, string> = { Authorization: `Bearer ${encodeURI(token() ?? "")}` };
  const request: RequestInit = { method, headers, cache: "no-store" };
  if (body !== undefined) {
    headers["Content-Type"] = "application/json";
    request.body = JSON.stringify(body);
  }
  let answer: Response;
  let text: string;
  try {
    answer = await fetch(path, request);
    text = await answer.text();
  } catch {
    throw new Refused(0, "The server is not there. The page tries again.");
  }
  const json = parsed(text) as (Answer & { detail?: string }) | null;
  if (!answer.ok) throw new Refused(answer.status, json?.detail ?? `The server answered ${answer.status}.`);
  return json as Answer;
}

function parsed(text: string): unknown {
  try {
    return text === "" ? null : JSON.parse(text);
  } catch {
    return null; // a proxy's page
  }
}

export const query = (values: Record<string, string>): string => {
  const given = Object.entries(values).filter(([, value]) => value !== "");
  return given.length === 0 ? "" : `?${new URLSearchParams(given)}`;
};
