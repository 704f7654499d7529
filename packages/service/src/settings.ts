import { QuernError } from '@quern/contract';
import { z } from 'zod';

/** One environment variable: its schema (which reads a string), default and meaning. */
export interface Setting<T> {
  readonly variable: string;
  readonly schema: z.ZodType<T, string>;
  /** Used when the variable is unset or empty. */
  readonly fallback: T;
  readonly meaning: string;
  /** Never printed. */
  readonly secret?: boolean;
}

/** The values that declared settings read as. */
export type SettingValues<S extends Record<string, Setting<unknown>>> = {
  readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never;
};

/** Declares a setting; exists to infer its type. */
export function setting<T>(declaration: Setting<T>): Setting<T> {
  return declaration;
}

/**
 * Reads settings from an environment, all problems at once.
 * @throws QuernError `CONFIG_INVALID` that names each variable with what was got and expected
 */
export function readSettings<S extends Record<string, Setting<unknown>>>(
  settings: S,
  env: Readonly<Record<string, string | undefined>>,
): SettingValues<S> {
  const problems: string[] = [];
  const entries = Object.entries(settings).map(([name, declaration]) => {
    const raw = env[declaration.variable];
    if (raw === undefined || raw === '') return [name, declaration.fallback];
    const parsed = declaration.schema.safeParse(raw);
    if (parsed.success) return [name, parsed.data];
    const got = declaration.secret === true ? 'its value' : JSON.stringify(raw);
    const expected = parsed.error.issues.map((issue) => issue.message).join(', ');
    problems.push(`${declaration.variable}: got ${got}, ${expected}`);
    return [name, declaration.fallback];
  });
  if (problems.length > 0) {
    throw new QuernError('CONFIG_INVALID', `Invalid settings:\n  ${problems.join('\n  ')}`);
  }
  return Object.fromEntries(entries) as SettingValues<S>;
}

/** A whole number within a range. */
export function integerText(min: number, max: number): z.ZodType<number, string> {
  const message = `expected a whole number from ${min} to ${max}`;
  return z
    .string()
    .regex(/^-?\d{1,15}$/, { error: message })
    .transform(Number)
    .refine((value) => value >= min && value <= max, { error: message });
}

/** `true` or `false`. */
export function flagText(): z.ZodType<boolean, string> {
  const words = z.enum(['true', 'false'], { error: 'expected true or false' });
  return z.string().pipe(words.transform((text) => text === 'true'));
}

/** A TCP port; 0 asks the system for a free one. */
export function portText(): z.ZodType<number, string> {
  return integerText(0, 65_535);
}

/** Comma-separated words, without blanks. */
export function listText(): z.ZodType<readonly string[], string> {
  return z.string().transform((value) =>
    value
      .split(',')
      .map((item) => item.trim())
      .filter((item) => item !== ''),
  );
}
