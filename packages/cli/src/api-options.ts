import type { Command } from 'commander';
import { ApiClient } from './api-client.ts';
import { UsageError } from './exit-codes.ts';

/** What every command that calls the API takes. */
export interface ApiOptions {
  readonly url?: string;
  readonly apiKey?: string;
}

/** Adds the options with which a command finds the API. */
export function addApiOptions(command: Command): Command {
  return command
    .option('--url <url>', 'where the API is (default: QUERN_URL, else http://127.0.0.1:8080)')
    .option('--api-key <key>', 'key for the API (default: QUERN_API_KEY)');
}

/** @throws UsageError if the URL is none */
export function clientOf(options: ApiOptions, env: NodeJS.ProcessEnv): ApiClient {
  const url = options.url ?? (env['QUERN_URL'] || 'http://127.0.0.1:8080');
  if (!/^https?:\/\/[^/]/.test(url) || !URL.canParse(url)) {
    throw new UsageError(
      `The URL of the API is ${JSON.stringify(url)}, expected http://HOST:PORT.`,
    );
  }
  return new ApiClient({ url, apiKey: options.apiKey ?? (env['QUERN_API_KEY'] || undefined) });
}
