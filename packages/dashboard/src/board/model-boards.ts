import { createBullBoard } from '@bull-board/api';
import { BullMQAdapter } from '@bull-board/api/bullMQAdapter';
import type { BoardOptions } from '@bull-board/api/typings/app';
import { MODEL_NAME_PATTERN } from '@quern/contract';
import { DELIVERY_QUEUE, type KnownModel, openBullQueue, type PredictionQueue } from '@quern/queue';
import type { Queue } from 'bullmq';
import { type RequestHandler, Router } from 'express';
import { BoardPage } from './board-page.ts';
import { deliveryTitle, summarizeDelivery } from './delivery-summary.ts';
import { summarizeData, summarizeResult, titleOf } from './job-summary.ts';
import { judgeOperation } from './operator-policy.ts';
import { throughputHistory } from './throughput-history.ts';
import { operatorBoardConfig, visitorBoardConfig } from './ui-config.ts';

export interface ModelBoardsOptions {
  readonly queue: PredictionQueue;
  /** Shown as links in the page's menu. */
  readonly apiUrl?: string;
  /** Told of the queues' connection errors, which heal by themselves. */
  readonly onError: (error: Error) => void;
}

interface Board {
  readonly handler: RequestHandler;
  readonly isReadOnly: boolean;
  readonly addQueue: (adapter: BullMQAdapter) => void;
  readonly removeQueue: (name: string) => void;
}

/**
 * The board twice, over the same queues: one without buttons for visitors, one with for operators.
 * Both show every model that the registry knows: one that appears later is added, one that vanishes is
 * taken off. Deliveries of webhooks are one more queue.
 */
export class ModelBoards {
  readonly #options: ModelBoardsOptions;
  readonly #visitors: Board;
  readonly #operators: Board;
  readonly #queues = new Map<string, Queue>();
  readonly #deliveries: Queue;
  readonly #stopWatching: () => void;
  #closing: Promise<void> | undefined;

  constructor(options: ModelBoardsOptions) {
    const { queue, apiUrl } = options;
    this.#options = options;
    const historyProvider = throughputHistory(() => this.#queues);
    const shared = { historyProvider, handlerHooks: { before: judgeOperation } };
    this.#visitors = createBoard(true, { ...shared, uiConfig: visitorBoardConfig(apiUrl) });
    this.#operators = createBoard(false, { ...shared, uiConfig: operatorBoardConfig(apiUrl) });
    this.#stopWatching = queue.registry.onRefresh(() => this.#follow(queue.registry.models()));
    this.#follow(queue.registry.models());
    this.#deliveries = this.#open(DELIVERY_QUEUE);
    for (const board of [this.#visitors, this.#operators]) {
      board.addQueue(deliveryAdapter(this.#deliveries, board.isReadOnly));
    }
  }

  get visitors(): RequestHandler {
    return this.#visitors.handler;
  }

  get operators(): RequestHandler {
    return this.#operators.handler;
  }

  queueOf(model: string): Queue | undefined {
    return this.#queues.get(model);
  }

  #follow(known: readonly KnownModel[]): void {
    // A folder whose name no model can have is known for its problem alone: it has no queue.
    const models = known.filter(({ name }) => MODEL_NAME_PATTERN.test(name));
    const names = new Set(models.map(({ name }) => name));
    for (const name of this.#queues.keys()) if (!names.has(name)) this.#remove(name);
    for (const model of models) if (!this.#queues.has(model.name)) this.#add(model);
  }

  #add({ name, description }: KnownModel): void {
    const bullQueue = this.#open(name);
    this.#queues.set(name, bullQueue);
    for (const board of [this.#visitors, this.#operators]) {
      board.addQueue(adapterFor(bullQueue, description ?? '', board.isReadOnly));
    }
  }

  #open(name: string): Queue {
    const { queue, onError } = this.#options;
    const bullQueue = openBullQueue(queue.redis, name);
    bullQueue.on('error', onError);
    return bullQueue;
  }

  #remove(name: string): void {
    const bullQueue = this.#queues.get(name);
    this.#queues.delete(name);
    for (const board of [this.#visitors, this.#operators]) board.removeQueue(name);
    bullQueue?.close().catch(this.#options.onError);
  }

  /** Takes every queue off; the connection stays its owner's. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    this.#stopWatching();
    const all = [...this.#queues.values(), this.#deliveries];
    await Promise.all(all.map((bullQueue) => bullQueue.close()));
  }
}

function createBoard(isReadOnly: boolean, options: BoardOptions): Board {
  const serverAdapter = new BoardPage();
  const { addQueue, removeQueue } = createBullBoard({ queues: [], serverAdapter, options });
  // The adapter's own router is untyped.
  const handler = Router().use(serverAdapter.getRouter());
  return { handler, isReadOnly, addQueue, removeQueue };
}

function adapterFor(bullQueue: Queue, description: string, readOnlyMode: boolean): BullMQAdapter {
  // Hides the buttons too; the adapter's type does not name the last one.
  const options = { readOnlyMode, description, allowCompletedRetries: false };
  const adapter = new BullMQAdapter(bullQueue, options);
  adapter.setFormatter('name', titleOf);
  adapter.setFormatter('data', summarizeData);
  adapter.setFormatter('returnValue', summarizeResult);
  return adapter;
}

function deliveryAdapter(bullQueue: Queue, readOnlyMode: boolean): BullMQAdapter {
  // As above.
  const options = {
    readOnlyMode,
    displayName: 'webhooks',
    description: 'Deliveries of webhooks; failed ones are dead letters, and retrying replays them',
    allowCompletedRetries: false,
  };
  const adapter = new BullMQAdapter(bullQueue, options);
  adapter.setFormatter('name', deliveryTitle);
  adapter.setFormatter('data', summarizeDelivery);
  return adapter;
}
