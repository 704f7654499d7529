import { type Command, InvalidArgumentError, Option } from 'commander';
import { type ApiOptions, addApiOptions, clientOf } from '../api-options.ts';
import type { CommandContext, Finish } from '../command-line.ts';
import { EXIT_CODES, UsageError } from '../exit-codes.ts';
import { jsonText } from '../output/json-text.ts';

interface PlanFlags extends ApiOptions {
  readonly rate: number;
  readonly model?: string;
  readonly instanceRate?: number;
  readonly rows: number;
  readonly bytes: number;
  readonly backlog: number;
  /** Percent. */
  readonly headroom: number;
  readonly costs?: string;
  readonly json: boolean;
}

/** Adds `quern plan --rate N --model NAME`. */
export function addPlan(program: Command, context: CommandContext, finish: Finish): void {
  const number = (flags: string, about: string): Option =>
    new Option(flags, about).argParser(positive);
  const command = program
    .command('plan')
    .description('Say how many replicas, workers, instances and Redis shards a load needs.')
    .addOption(number('--rate <n>', 'predictions per second').makeOptionMandatory())
    .option('--model <name>', 'a model that is served: its measured run times are used')
    .addOption(number('--instance-rate <n>', 'rows per second of one instance instead'))
    .addOption(number('--rows <n>', 'rows of a prediction').default(1))
    .addOption(number('--bytes <n>', 'bytes of an input').default(1024))
    .addOption(number('--backlog <seconds>', 'how long predictions may pile up').default(60))
    .addOption(new Option('--headroom <percent>', 'left free').argParser(percent).default(30))
    .option(
      '--costs <file>',
      'report of: npm run bench -- --suite budget (default: published ones)',
    )
    .option('--json', 'print the plan as JSON', false);
  addApiOptions(command)
    .addHelpText(
      'after',
      `
Costs differ between machines: measure them on yours.

Examples:
  quern plan --rate 50000 --model digits
  quern plan --rate 2000 --instance-rate 300 --rows 4 --costs .quern/bench.json`,
    )
    .action(async (options: PlanFlags) => {
      const { out } = context.terminal;
      out.write(`${await planned(options, context)}\n`);
      finish(EXIT_CODES.ok);
    });
}

async function planned(options: PlanFlags, context: CommandContext): Promise<string> {
  const { planCapacity } = await import('./capacity-plan.ts');
  const { measuredCosts, PUBLISHED_COSTS } = await import('./measured-costs.ts');
  const { planText } = await import('./plan-text.ts');
  const { rowsPerSecond, device } = await instanceRate(options, context);
  const load = {
    predictionsPerSecond: options.rate,
    rowsPerPrediction: options.rows,
    instanceRowsPerSecond: rowsPerSecond,
    inputBytes: options.bytes,
    backlogSeconds: options.backlog,
    headroom: options.headroom / 100,
  };
  const costs = options.costs === undefined ? PUBLISHED_COSTS : await measuredCosts(options.costs);
  const plan = planCapacity(load, costs);
  return options.json ? jsonText({ load, costs, ...plan }) : planText(plan, load, device);
}

async function instanceRate(options: PlanFlags, { env }: CommandContext) {
  if (options.instanceRate !== undefined) {
    return { rowsPerSecond: options.instanceRate, device: 'devices of that rate' };
  }
  if (options.model === undefined) {
    throw new UsageError('Give --model, a model that is served, or --instance-rate.');
  }
  const { instanceRateOf } = await import('./instance-rate.ts');
  return instanceRateOf(await clientOf(options, env).model(options.model, { profile: true }));
}

function positive(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value > 0 && Number.isFinite(value))) {
    throw new InvalidArgumentError('Expected a number above 0.');
  }
  return value;
}

function percent(text: string): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= 0 && value < 100)) {
    throw new InvalidArgumentError('Expected a number from 0 to below 100.');
  }
  return value;
}
