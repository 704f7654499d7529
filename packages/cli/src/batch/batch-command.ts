import { PRIORITIES, type Priority } from '@quern/contract';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiOptions, addApiOptions, clientOf } from '../api-options.ts';
import type { CommandContext, Finish } from '../command-line.ts';

interface BatchFlags extends ApiOptions {
  readonly modelVersion?: string;
  readonly priority: Priority;
  readonly concurrency: number;
  readonly errors?: string;
}

const MAX_CONCURRENCY = 1024;

/** Adds `quern batch`. */
export function addBatch(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command('batch')
    .description('Predict every line of a file and write the results to another.')
    .argument('<model>', 'name of the model')
    .argument('<input>', 'file with one JSON input a line')
    .argument('<output>', 'file for the results; those that it holds are kept')
    .option('--errors <file>', 'file for the lines that failed (default: beside the output)')
    .option('--model-version <n>', 'version of the model (default: the newest one)')
    .addOption(
      new Option('--priority <level>', 'place in the queue').choices(PRIORITIES).default('low'),
    )
    .addOption(
      new Option('--concurrency <n>', 'predictions at a time').argParser(concurrency).default(64),
    );
  addApiOptions(command)
    .addHelpText(
      'after',
      `
A line is {TENSOR: VALUE, ...}, {"custom_id": "a", "input": {...}}, or as in OpenAI's batches
{"custom_id": "a", "method": "POST", "url": "/v1/models/MODEL/predictions", "body": {"input": {...}}}.
Results come in the order of the lines, each with the number of its line and its custom_id.
Ctrl-C keeps what is done; the same command goes on from there, after a crash as well.
Exit codes: 0 all succeeded, 1 some failed, 2 usage, 3 the API cannot be reached, 130 interrupted.

Example:
  quern batch digits in.jsonl out.jsonl`,
    )
    .action(async (model: string, input: string, output: string, options: BatchFlags) => {
      context.onSignals();
      const { runBatch } = await import('./run-batch.ts');
      finish(
        await runBatch({
          client: clientOf(options, context.env),
          terminal: context.terminal,
          model,
          version: options.modelVersion,
          priority: options.priority,
          inputPath: input,
          outputPath: output,
          errorsPath: options.errors ?? `${output.replace(/\.jsonl$/, '')}.errors.jsonl`,
          concurrency: options.concurrency,
          interrupt: context.stop,
        }),
      );
    });
}

function concurrency(text: string): number {
  const count = Number(text);
  if (!Number.isInteger(count) || count < 1 || count > MAX_CONCURRENCY) {
    throw new InvalidArgumentError(`Expected a whole number from 1 to ${MAX_CONCURRENCY}.`);
  }
  return count;
}
