import type { ApiClient } from '../api-client.ts';
import { EXIT_CODES, type ExitCode } from '../exit-codes.ts';
import { jsonText } from '../output/json-text.ts';
import { tableText } from '../output/table.ts';
import type { Screen } from '../terminal.ts';
import type { QuarantineView } from './quarantine-view.ts';

const HEADING = ['FINGERPRINT', 'VERSION', 'SINCE', 'UNTIL', 'REASON'];

export interface QuarantineOptions {
  readonly client: ApiClient;
  readonly screen: Screen;
  readonly model: string;
}

/** Prints the inputs of a model that are in quarantine. */
export async function listQuarantine(
  { client, screen, model }: QuarantineOptions,
  json: boolean,
): Promise<void> {
  const view = await client.quarantine(model);
  screen.write(`${json ? jsonText(view) : quarantineTable(view)}\n`);
}

function quarantineTable({ results }: QuarantineView): string {
  if (results.length === 0) return 'No input is in quarantine.';
  const rows = results.map(({ fingerprint, version, since, until, reason }) => [
    fingerprint,
    version,
    since,
    until,
    reason,
  ]);
  return tableText(HEADING, rows);
}

/**
 * Accepts one input again, or all of a model.
 * @returns `failed` if the fingerprint named is not in quarantine
 */
export async function liftQuarantine(
  { client, screen, model }: QuarantineOptions,
  fingerprint: string | undefined,
): Promise<ExitCode> {
  const { lifted } = await client.liftQuarantine(model, fingerprint);
  screen.write(`${lifted} lifted.\n`);
  return lifted === 0 && fingerprint !== undefined ? EXIT_CODES.failed : EXIT_CODES.ok;
}
