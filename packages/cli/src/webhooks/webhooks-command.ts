import { type Command, Option } from 'commander';
import { type ApiOptions, addApiOptions, clientOf } from '../api-options.ts';
import type { CommandContext, Finish } from '../command-line.ts';
import { EXIT_CODES, UsageError } from '../exit-codes.ts';
import type { WebhooksOptions } from './webhooks.ts';

const STATES = ['waiting', 'delivering', 'delivered', 'failed'];
const MAX_LISTED = 1000;

type Flags = ApiOptions & { readonly json: boolean };

/** Adds `quern webhooks list|show|replay`; all need an administrator's key where keys are set. */
export function addWebhooks(program: Command, context: CommandContext, finish: Finish): void {
  const webhooks = program
    .command('webhooks')
    .description('Show deliveries of webhooks, and deliver again what was given up.');
  addList(webhooks, context, finish);
  addShow(webhooks, context, finish);
  addReplay(webhooks, context, finish);
}

function addList(webhooks: Command, context: CommandContext, finish: Finish): void {
  const list = webhooks
    .command('list')
    .description('List deliveries, the latest first.')
    .addOption(new Option('--state <state>', 'which ones').choices(STATES).default('waiting'))
    .option('--failed', 'those that were given up, as --state failed', false)
    .option('--host <host>', 'only those to this host (with its port, if the URL has one)');
  addFlags(list).action(
    async (options: Flags & { state: string; failed: boolean; host?: string }) => {
      const { listDeliveries } = await import('./webhooks.ts');
      const state = options.failed ? 'failed' : options.state;
      const query = { state, host: options.host, limit: MAX_LISTED };
      await listDeliveries(query, optionsOf(options, context));
      finish(EXIT_CODES.ok);
    },
  );
}

function addShow(webhooks: Command, context: CommandContext, finish: Finish): void {
  const show = webhooks
    .command('show')
    .description('Show a delivery and what was tried.')
    .argument('<id>', 'id of the delivery, as list shows it');
  addFlags(show).action(async (id: string, options: Flags) => {
    const { showDelivery } = await import('./webhooks.ts');
    await showDelivery(id, optionsOf(options, context));
    finish(EXIT_CODES.ok);
  });
}

function addReplay(webhooks: Command, context: CommandContext, finish: Finish): void {
  const replay = webhooks
    .command('replay')
    .description('Deliver again, from the first attempt on.')
    .argument('[id]', 'id of the delivery, as list shows it')
    .option('--all', 'every one that was given up', false)
    .option('--host <host>', 'with --all: only those to this host');
  addFlags(replay)
    .addHelpText(
      'after',
      `
Examples:
  quern webhooks list --failed
  quern webhooks replay msg_TIEAepREdfDe5rE7eDi3vj4CBHP
  quern webhooks replay --all --host hooks.example.com`,
    )
    .action(async (id: string | undefined, options: Flags & { all: boolean; host?: string }) => {
      const { replayAll, replayOne } = await import('./webhooks.ts');
      if ((id !== undefined) === options.all) {
        throw new UsageError('webhooks replay needs the id of a delivery, or --all.');
      }
      if (id !== undefined) await replayOne(id, optionsOf(options, context));
      else await replayAll(options.host, optionsOf(options, context));
      finish(EXIT_CODES.ok);
    });
}

function addFlags(command: Command): Command {
  return addApiOptions(command.option('--json', 'print what the API says', false));
}

function optionsOf(options: Flags, { env, terminal }: CommandContext): WebhooksOptions {
  return { client: clientOf(options, env), screen: terminal.out, json: options.json };
}
