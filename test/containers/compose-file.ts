import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { inRepository } from '../repository.ts';

/** What the tests read of a service in docker-compose.yml. */
export interface ComposeService {
  readonly image?: string;
  readonly build?: { readonly context: string; readonly target: string };
  readonly command?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly ports?: readonly string[];
  readonly networks?: readonly string[];
  readonly profiles?: readonly string[];
  readonly volumes?: readonly (string | { source: string; target: string; read_only?: boolean })[];
  readonly stop_grace_period?: string;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly depends_on?: Readonly<Record<string, { condition: string }>>;
  readonly deploy?: { readonly replicas?: string; readonly resources?: unknown };
  readonly init?: boolean;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, { internal?: boolean }>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** docker-compose.yml as written, anchors merged and variables left as they are. */
export function readComposeFile(): ComposeFile {
  return parse(composeText(), { merge: true });
}

/**
 * docker-compose.yml as an operator's .env fills it in.
 * @throws Error with the file's own message when a required variable is missing
 */
export function resolveComposeFile(env: Readonly<Record<string, string>>): ComposeFile {
  const tree: unknown = readComposeFile();
  return JSON.parse(JSON.stringify(tree), (_key, value: unknown) =>
    typeof value === 'string' ? interpolate(value, env) : value,
  );
}

export function composeText(): string {
  return readFileSync(inRepository('docker-compose.yml'), 'utf8');
}

/** Compose's `${NAME}`, `${NAME:-default}` and `${NAME:?message}`. */
function interpolate(text: string, env: Readonly<Record<string, string>>): string {
  return text.replace(
    /\$\{(?<name>\w+)(?:(?<operator>:-|:\?)(?<operand>[^}]*))?\}/g,
    (_whole, name: string, operator: string | undefined, operand: string | undefined) => {
      const value = env[name];
      if (value !== undefined && value !== '') return value;
      if (operator === ':?') throw new Error(`${name}: ${operand ?? ''}`);
      return operand ?? '';
    },
  );
}
