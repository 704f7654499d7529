import type { BlobOptions } from '@quern/blobs';
import { QuernError } from '@quern/contract';
import {
  assertGuarded,
  blobSettings,
  portText,
  readSettings,
  type SettingValues,
  setting,
  sharedSettings,
} from '@quern/service';
import { z } from 'zod';
import type { Credentials } from './access/credentials.ts';

const { redisUrl, redisWaitMs, host, logLevel } = sharedSettings;

const MIN_SECRET_LENGTH = 32;

/** Every variable that the dashboard reads. */
export const dashboardSettings = {
  ...blobSettings,
  redisUrl,
  redisWaitMs,
  host,
  logLevel,
  port: setting({
    variable: 'QUERN_DASHBOARD_PORT',
    schema: portText(),
    fallback: 8081,
    meaning: 'Port of the dashboard.',
  }),
  user: setting<string | undefined>({
    variable: 'QUERN_DASHBOARD_USER',
    schema: z.string(),
    fallback: undefined,
    meaning: 'Who may sign in to the dashboard. Without it the dashboard is read-only.',
  }),
  password: setting<string | undefined>({
    variable: 'QUERN_DASHBOARD_PASSWORD',
    schema: z.string(),
    fallback: undefined,
    meaning: 'The password of QUERN_DASHBOARD_USER.',
    secret: true,
  }),
  secret: setting<string | undefined>({
    variable: 'QUERN_DASHBOARD_SECRET',
    schema: z.string().min(MIN_SECRET_LENGTH, {
      error: `expected ${MIN_SECRET_LENGTH} or more random characters`,
    }),
    fallback: undefined,
    meaning:
      "Signs the dashboard's session cookies. Unset, a random one is made at start, and a restart signs everybody out.",
    secret: true,
  }),
  apiUrl: setting<string | undefined>({
    variable: 'QUERN_API_URL',
    schema: z.url({ protocol: /^https?$/, error: 'expected an http:// or https:// address' }),
    fallback: undefined,
    meaning: 'Where people reach the API; the dashboard then links to its documentation.',
  }),
} as const;

export interface DashboardSettings extends BlobOptions {
  readonly redisUrl: string;
  readonly redisWaitMs: number;
  readonly host: string;
  readonly logLevel: string;
  readonly port: number;
  /** Absent: nobody can sign in, and the dashboard is read-only. */
  readonly credentials?: Credentials;
  readonly secret?: string;
  readonly apiUrl?: string;
}

/**
 * Reads the dashboard's settings.
 * @throws QuernError `CONFIG_INVALID` that names each bad variable, or as `checkDashboardSettings`
 */
export function readDashboardSettings(
  env: Readonly<Record<string, string | undefined>>,
): DashboardSettings {
  return checkDashboardSettings(readSettings(dashboardSettings, env));
}

/**
 * Settings that fit each other.
 * @throws QuernError `CONFIG_INVALID` for a user without a password (or the reverse), and for an address
 *   that other machines can reach while nobody can sign in
 */
export function checkDashboardSettings(
  values: SettingValues<typeof dashboardSettings>,
): DashboardSettings {
  const { user, password, secret, apiUrl, ...rest } = values;
  const credentials = pairOf(user, password);
  assertDashboardGuarded(rest.host, credentials !== undefined);
  return {
    ...rest,
    ...(credentials !== undefined && { credentials }),
    ...(secret !== undefined && { secret }),
    ...(apiUrl !== undefined && { apiUrl }),
  };
}

/** @throws QuernError `CONFIG_INVALID` if other machines can reach the host and nobody can sign in */
export function assertDashboardGuarded(address: string, hasCredentials: boolean): void {
  assertGuarded(address, hasCredentials, 'QUERN_DASHBOARD_USER with QUERN_DASHBOARD_PASSWORD');
}

function pairOf(user: string | undefined, password: string | undefined): Credentials | undefined {
  if (user !== undefined && password !== undefined) return { user, password };
  if (user === undefined && password === undefined) return undefined;
  const [got, missing] =
    user === undefined
      ? ['QUERN_DASHBOARD_PASSWORD', 'QUERN_DASHBOARD_USER']
      : ['QUERN_DASHBOARD_USER', 'QUERN_DASHBOARD_PASSWORD'];
  throw new QuernError(
    'CONFIG_INVALID',
    `${got} is set but ${missing} is not. Set both to let an operator sign in, or neither for a read-only dashboard.`,
  );
}
