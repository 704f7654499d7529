import { type Command, Option } from 'commander';
import { type ApiOptions, addApiOptions, clientOf } from '../api-options.ts';
import type { CommandContext, Finish } from '../command-line.ts';
import { EXIT_CODES, UsageError } from '../exit-codes.ts';
import type { ShowOptions } from './show-models.ts';

interface ModelsFlags extends ApiOptions {
  readonly profile?: boolean;
  readonly resetProfile?: boolean;
  readonly json: boolean;
}

/** Adds `quern models [NAME]` and `quern models load|unload NAME`. */
export function addModels(program: Command, context: CommandContext, finish: Finish): void {
  const command = program
    .command('models')
    .description('List the models that are served, show one of them, load or unload one.')
    .argument('[model]', 'name of a model')
    .option('--profile', 'show how long its batches take by their size')
    .addOption(
      new Option('--reset-profile', 'forget how long its batches take').conflicts('profile'),
    )
    .option('--json', 'print what the API says', false);
  addApiOptions(command)
    .addHelpText(
      'after',
      '\nExamples:\n  quern models\n  quern models digits --json\n  quern models digits --profile\n  quern models load digits',
    )
    .action(async (name: string | undefined, options: ModelsFlags) => {
      const client = clientOf(options, context.env);
      await runModels(name, options, { client, screen: context.terminal.out, json: options.json });
      finish(EXIT_CODES.ok);
    });
  addWish(command, 'load', 'Have every worker read the folder of a model again, and load it.');
  addWish(command, 'unload', 'Have every worker end the processes of a model.');

  function addWish(models: Command, action: 'load' | 'unload', description: string): void {
    const wish = models
      .command(action)
      .description(`${description} Where keys are set, it needs an administrator's.`)
      .argument('<model>', 'name of the model');
    addApiOptions(wish).action(async (name: string) => {
      // Options that both commands have are read by the outer one.
      const client = clientOf(wish.optsWithGlobals<ApiOptions>(), context.env);
      await client.wishModel(name, action);
      context.terminal.out.write(`${name} is ${action}ed.\n`);
      finish(EXIT_CODES.ok);
    });
  }
}

async function runModels(
  name: string | undefined,
  { profile, resetProfile: reset }: ModelsFlags,
  show: ShowOptions,
): Promise<void> {
  const { listModels, showModel } = await import('./show-models.ts');
  if (profile !== true && reset !== true) {
    return name === undefined ? listModels(show) : showModel(name, show);
  }
  if (name === undefined) {
    throw new UsageError(`--${reset === true ? 'reset-' : ''}profile needs the name of a model.`);
  }
  const { resetProfile, showProfile } = await import('./show-profile.ts');
  return reset === true ? resetProfile(name, show) : showProfile(name, show);
}
