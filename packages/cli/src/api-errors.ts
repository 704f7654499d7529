/** The API has refused a request. */
export class ApiRefusal extends Error {
  /** From the error catalogue, such as `MODEL_NOT_FOUND`. */
  readonly code: string;
  readonly status: number;
  /** When it may be tried again, if the API said so. */
  readonly retryAfterSeconds: number | undefined;

  constructor(code: string, message: string, reply: { status: number; retryAfter: string | null }) {
    super(message);
    this.name = 'ApiRefusal';
    this.code = code;
    this.status = reply.status;
    const seconds = reply.retryAfter === null ? Number.NaN : Number(reply.retryAfter);
    this.retryAfterSeconds = Number.isFinite(seconds) ? seconds : undefined;
  }
}

/** Nobody answers at the URL, or not in Quern's manner. */
export class ApiUnreachable extends Error {
  constructor(url: string, reason: string) {
    super(`Cannot reach the API at ${url} (${reason}). Is \`quern up\` running?`);
    this.name = 'ApiUnreachable';
  }
}
