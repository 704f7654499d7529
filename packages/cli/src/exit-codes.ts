/** What `quern` tells the shell. */
export const EXIT_CODES = {
  ok: 0,
  /** The prediction failed or was refused; the repository has problems; `up` could not start. */
  failed: 1,
  usage: 2,
  unreachable: 3,
  /** 128 + SIGINT, as shells have it. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT_CODES)[keyof typeof EXIT_CODES];

/** The command line or the input file is wrong; the API was not asked. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}
