/** Calls of the REST API, each reported to whoever shows them. */

export interface Call {
  method: string;
  path: string;
  body: unknown;
  status: number;
  ms: number;
}

const RETRY_MS = 1_000;

export class Refused extends Error {
  override readonly name = "Refused";

  constructor(
    readonly status: number,
    detail: string,
  ) {
    super(detail);
  }

  /** The same call may succeed later. */
  get isForNow(): boolean {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

/** Where a bearer's token comes from. */
export interface TokenSource {
  current: () => string;
  renew: () => Promise<void>;
}

/** One bearer's view of the API. */
export class Rest {
  constructor(
    private readonly token: TokenSource,
    private readonly report: (call: Call) => void = () => {},
  ) {}

  /**
   * Make a call and return its JSON, with a new token where the old one has ended.
   *
   * Throws `Refused` with the problem's detail, also when the server is away.
   */
  async call<Answer>(method: string, path: string, body?: unknown): Promise<Answer> {
    try {
      return await this.attempt<Answer>(method, path, body);
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 401) throw error;
      await this.token.renew();
      return await this.attempt<Answer>(method, path, body);
    }
  }

  /** Read something, and wait for a server that is away, overloaded or keeps this bearer out for a while. */
  async read<Answer>(path: string): Promise<Answer> {
    for (;;) {
      try {
        return await this.call<Answer>("GET", path);
      } catch (error) {
        if (!(error instanceof Refused) || !error.isForNow) throw error;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  private async attempt<Answer>(method: string, path: string, body: unknown): Promise<Answer> {
    const started = performance.now();
    const headers: Record<string, string> = { Authorization: `Bearer ${this.token.current()}` };
    if (body !== undefined) headers["Content-Type"] = "application/json";
    const request: RequestInit = { method, headers, cache: "no-store" };
    if (body !== undefined) request.body = JSON.stringify(body);
    let answer: Response;
    let text: string;
    try {
      answer = await fetch(path, request);
      text = await answer.text();
    } catch {
      this.report({ method, path, body, status: 0, ms: performance.now() - started });
      throw new Refused(0, "The server is not there.");
    }
    this.report({ method, path, body, status: answer.status, ms: performance.now() - started });
    const json = text === "" ? null : (JSON.parse(text) as Answer & { detail?: string });
    if (!answer.ok) throw new Refused(answer.status, json?.detail ?? `The server answered ${answer.status}.`);
    return json as Answer;
  }
}
