import { readFileSync } from 'node:fs';
import { MAX_TIMEOUT_MS, PRIORITIES, type Priority } from '@quern/contract';
import { Command, InvalidArgumentError, Option } from 'commander';
import { z } from 'zod';
import { type ApiOptions, addApiOptions, clientOf } from './api-options.ts';
import { addBatch } from './batch/batch-command.ts';
import { EXIT_CODES, type ExitCode } from './exit-codes.ts';
import { addModels } from './models/models-command.ts';
import { addPlan } from './plan/plan-command.ts';
import type { Terminal } from './terminal.ts';
import { addWebhooks } from './webhooks/webhooks-command.ts';

/** What the commands have of the process that they run in. */
export interface CommandContext {
  readonly env: NodeJS.ProcessEnv;
  readonly terminal: Terminal;
  readonly stdin: AsyncIterable<Buffer | string>;
  /** Aborted by the first signal, once `onSignals` was called. */
  readonly stop: AbortSignal;
  /** Aborted by the second one. */
  readonly kill: AbortSignal;
  /** Called by commands that have something to end; all others just die of a signal. */
  readonly onSignals: () => void;
}

const MAX_WORKERS = 64;

/**
 * Runs `quern` with these arguments.
 * @param argv as `process.argv`, with node and the script in front
 * @throws CommanderError for a wrong command line (its message is printed already) and for help; what
 *   the commands throw
 */
export async function runCommandLine(
  argv: readonly string[],
  context: CommandContext,
): Promise<ExitCode> {
  let exitCode: ExitCode = EXIT_CODES.ok;
  const finish = (code: ExitCode): void => {
    exitCode = code;
  };
  const { out, err } = context.terminal;
  const program = new Command('quern')
    .description('Queue-driven inference for ONNX models.')
    .version(ownVersion())
    .configureOutput({
      writeOut: (text) => out.write(text),
      writeErr: (text) => err.write(text),
      getOutHelpWidth: () => out.columns,
      getErrHelpWidth: () => err.columns,
    })
    .showHelpAfterError('(--help says more)')
    .exitOverride();
  addUp(program, context, finish);
  addPredict(program, context, finish);
  addBatch(program, context, finish);
  addModels(program, context, finish);
  addTypes(program, context, finish);
  addQuarantine(program, context, finish);
  addWebhooks(program, context, finish);
  addCheck(program, context, finish);
  addPlan(program, context, finish);
  await program.parseAsync([...argv]);
  return exitCode;
}

/** Says what the exit code is to be. */
export type Finish = (code: ExitCode) => void;

function addUp(program: Command, context: CommandContext, finish: Finish): void {
  program
    .command('up')
    .description('Run everything on this machine: Redis, worker, webhooks, API and dashboard.')
    .option('--models <dir>', 'model repository (default: QUERN_MODELS, else ./models)')
    .option('--data <dir>', 'where predictions are kept', '.quern')
    .addOption(new Option('--workers <n>', 'worker processes').argParser(workerCount).default(1))
    .addHelpText(
      'after',
      `
Without QUERN_REDIS_URL it runs a redis-server of its own; QUERN_REDIS_SERVER names its binary.
Every other setting is an environment variable, too: QUERN_API_PORT, QUERN_DASHBOARD_PORT,
QUERN_WORKER_PORT, QUERN_HOST, QUERN_API_KEYS, QUERN_LOG_LEVEL (warn unless set here), ...
Ctrl-C stops everything in order, a second one at once.

Examples:
  quern up
  quern up --models ~/my-models --workers 3
  QUERN_API_PORT=9000 quern up --data /var/lib/quern`,
    )
    .action(async (options: { models?: string; data: string; workers: number }) => {
      context.onSignals();
      const { runUp } = await import('./up/run-up.ts');
      const { env, terminal, stop, kill } = context;
      const { models: modelsDir, data: dataDir, workers } = options;
      finish(await runUp({ env, terminal, stop, kill, modelsDir, dataDir, workers }));
    });
}

function addPredict(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command('predict')
    .description('Make a prediction, wait for it and print its output.')
    .argument('<model>', 'name of the model')
    .argument(
      '<input>',
      'a JSON file, JSON itself, - for standard input, or a picture, sound or text',
    )
    .option('--model-version <n>', 'version of the model (default: the newest one)')
    .addOption(new Option('--priority <level>', 'its place in the queue').choices(PRIORITIES))
    .addOption(
      new Option('--timeout <seconds>', 'give up if it has not started by then').argParser(seconds),
    )
    .option('--json', 'print the whole prediction object', false);
  addApiOptions(command)
    .addHelpText(
      'after',
      `
INPUT is {"input": {TENSOR: VALUE, ...}} or {TENSOR: VALUE, ...}, or the file itself for a model that
takes one image, sound or text. Standard output gets JSON alone; status, labels, times and errors go
to standard error. Ctrl-C cancels the prediction.
Exit codes: 0 succeeded, 1 failed or refused, 2 usage, 3 the API cannot be reached, 130 interrupted.

Examples:
  quern predict digits models/digits/samples/seven.json
  quern predict faces portrait.png
  quern predict adder '{"x": [[1, 2]], "y": [[3, 4]]}' --priority high
  jq '{image: .pixels}' scan.json | quern predict digits - | jq .probabilities`,
    )
    .action(async (model: string, argument: string, options: PredictFlags) => {
      const { readInput } = await import('./predict/read-input.ts');
      const { predict } = await import('./predict/predict.ts');
      const { inputFromFile, readInputFile } = await import('./predict/file-input.ts');
      const client = clientOf(options, context.env);
      const file = await readInputFile(argument);
      const input =
        file === undefined
          ? await readInput(argument, context.stdin)
          : inputFromFile(file, await client.model(model), options.modelVersion);
      context.onSignals();
      finish(
        await predict({
          client,
          terminal: context.terminal,
          model,
          input,
          version: options.modelVersion,
          priority: options.priority,
          timeoutMs: options.timeout === undefined ? undefined : Math.ceil(options.timeout * 1000),
          json: options.json,
          interrupt: context.stop,
          abandon: context.kill,
        }),
      );
    });
}

interface PredictFlags extends ApiOptions {
  readonly modelVersion?: string;
  readonly priority?: Priority;
  /** Seconds. */
  readonly timeout?: number;
  readonly json: boolean;
}

function addTypes(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command('types')
    .description('Write TypeScript types of what models take and give, for @quern/client.')
    .argument('[models...]', 'NAME or NAME:VERSION (default: all models)')
    .option('-o, --out <file>', 'file to write (default: standard output)');
  addApiOptions(command)
    .addHelpText(
      'after',
      `
Examples:
  quern types --out src/quern-models.d.ts
  quern types digits:2 language`,
    )
    .action(async (names: string[], options: ApiOptions & { out?: string }) => {
      const { declareModels } = await import('./declare/declare-models.ts');
      const client = clientOf(options, context.env);
      await declareModels({ client, terminal: context.terminal, names, out: options.out });
      finish(EXIT_CODES.ok);
    });
}

function addQuarantine(program: Command, context: CommandContext, finish: Finish): void {
  const quarantine = program
    .command('quarantine')
    .description('Show or accept again the inputs that are refused because they killed a model.');
  const list = quarantine
    .command('list')
    .description('List the inputs of a model that are in quarantine.')
    .argument('<model>', 'name of the model')
    .option('--json', 'print what the API says', false);
  addApiOptions(list).action(async (model: string, options: ApiOptions & { json: boolean }) => {
    const { listQuarantine } = await import('./quarantine/quarantine.ts');
    const client = clientOf(options, context.env);
    await listQuarantine({ client, screen: context.terminal.out, model }, options.json);
    finish(EXIT_CODES.ok);
  });
  const lift = quarantine
    .command('lift')
    .description('Accept an input again.')
    .argument('<model>', 'name of the model')
    .argument('[fingerprint]', 'which input, as list shows it (default: all of the model)');
  addApiOptions(lift).action(
    async (model: string, fingerprint: string | undefined, options: ApiOptions) => {
      const { liftQuarantine } = await import('./quarantine/quarantine.ts');
      const client = clientOf(options, context.env);
      const screen = context.terminal.out;
      finish(await liftQuarantine({ client, screen, model }, fingerprint));
    },
  );
}

function addCheck(program: Command, context: CommandContext, finish: Finish): void {
  program
    .command('check')
    .description('Load every model of a repository, without any server, and say what it takes.')
    .argument('<models-dir>', 'model repository')
    .addHelpText(
      'after',
      `
Problems are printed as file:line:column: key: message, and make the exit code 1.

Example:
  quern check ./models`,
    )
    .action(async (dir: string) => {
      const { checkRepository } = await import('./check/check-repository.ts');
      finish(await checkRepository(dir, context.terminal));
    });
}

function workerCount(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MAX_WORKERS) {
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_WORKERS}.`);
  }
  return count;
}

function seconds(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value > 0) || value * 1000 > MAX_TIMEOUT_MS) {
    throw new InvalidArgumentError(
      `Expected seconds, more than 0 and at most ${MAX_TIMEOUT_MS / 1000}.`,
    );
  }
  return value;
}

function ownVersion(): string {
  const text = readFileSync(new URL('../package.json', import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
