import type { Lifecycle } from './lifecycle.ts';
import { createLogger, type Logger } from './logger.ts';
import { runProcess } from './run-process.ts';
import { readSettings, type Setting, type SettingValues } from './settings.ts';
import { sharedSettings } from './shared-settings.ts';

/** What closing may take beyond the grace for running work. */
const CLOSE_MARGIN_MS = 10_000;

export interface ServiceParts<S extends Record<string, Setting<unknown>>> {
  readonly settings: SettingValues<S>;
  readonly logger: Logger;
  readonly lifecycle: Lifecycle;
}

export interface ServiceOptions<S extends Record<string, Setting<unknown>>> {
  /** The process: `api`, `worker`, ... */
  readonly name: string;
  readonly settings: S;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Logs lines for people instead of JSON. */
  readonly pretty: boolean;
  /** Opens the process's parts, deferring each one's close. */
  readonly start: (parts: ServiceParts<S>) => Promise<void>;
}

/**
 * The whole of a service's `main.ts`: reads its settings, makes its logger and runs it to its end.
 * With invalid settings it says what is wrong with each and exits with 1.
 */
export async function runService<S extends Record<string, Setting<unknown>>>(
  options: ServiceOptions<S>,
): Promise<void> {
  const { name, pretty } = options;
  const shared = tryRead(sharedSettings, options.env);
  const logger = createLogger({ name, level: shared?.logLevel ?? 'info', pretty });
  await runProcess({
    logger,
    shutdownTimeoutMs: (shared?.shutdownGraceMs ?? 0) + CLOSE_MARGIN_MS,
    start: async (lifecycle) => {
      const settings = readSettings(options.settings, options.env);
      await options.start({ settings, logger, lifecycle });
    },
  });
}

/** Invalid settings are reported by the start itself, once there is a logger to report them. */
function tryRead<S extends Record<string, Setting<unknown>>>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): SettingValues<S> | undefined {
  try {
    return readSettings(settings, env);
  } catch {
    return undefined;
  }
}
