import { realpath } from 'node:fs/promises';
import { resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { show } from '@quern/contract';
import type { StepContext } from '../step.ts';
import type { HandlerConfig } from './handler-config.ts';
import type { HandlerModule } from './handler-module.ts';

/** A module with what its `load` returned. */
export interface LoadedHandler {
  readonly module: HandlerModule;
  readonly state: unknown;
}

/** Both hooks of a module share its state. */
const states = new WeakMap<HandlerModule, Promise<unknown>>();

/**
 * Imports a model's own module and calls its `load`.
 * @param hook the hook that must be there, with a `run` of its own
 * @throws QuernError `CONFIG_INVALID` if the file lies outside of the model's folder, does not load or
 *   lacks the hook
 */
export async function loadHandlerModule(
  { module: file, settings }: HandlerConfig,
  context: StepContext,
  hook: 'preprocess' | 'postprocess',
): Promise<LoadedHandler> {
  const { modelFolder, sessionInputs, labels, problem } = context;
  const path = await pathWithin(file, context);
  try {
    const module = (await import(pathToFileURL(path).href)) as HandlerModule;
    if (typeof module[hook]?.run !== 'function') {
      const names = Object.keys(module).join(', ') || 'nothing';
      throw new TypeError(`exports ${names}, expected ${hook} with a function run`);
    }
    let state = states.get(module);
    if (state === undefined) {
      state = Promise.resolve(module.load?.({ modelFolder, settings, sessionInputs, labels }));
      states.set(module, state);
    }
    return { module, state: await state };
  } catch (error) {
    const reason = error instanceof Error ? error.message : show(error);
    throw problem('module', `${file} cannot be used: ${reason}`);
  }
}

/** The file itself, links followed. */
async function pathWithin(file: string, { modelFolder, problem }: StepContext): Promise<string> {
  const path = resolve(modelFolder, file);
  const [real, folder] = await Promise.all([
    realpath(path).catch(() => undefined),
    realpath(modelFolder).catch(() => modelFolder),
  ]);
  if (real?.startsWith(folder + sep) === true) return real;
  const what = real === undefined ? 'does not exist' : "lies outside of the model's folder";
  throw problem('module', `${file} ${what}`);
}
