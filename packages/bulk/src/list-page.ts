import { QuernError, show } from '@quern/contract';
import type { Redis } from 'ioredis';

export interface ListQuery {
  readonly limit: number;
  /** Id of the last item of the page before. */
  readonly after?: string;
  /** By creation; default newest first. */
  readonly order?: 'asc' | 'desc';
}

export interface ListPage<T> {
  readonly items: T[];
  readonly hasMore: boolean;
}

/**
 * A page of a sorted set of ids; what is gone by the time it is read is left out.
 * @throws QuernError `INVALID_REQUEST` for an `after` that is not in the set
 */
export async function pageOf<T>(
  redis: Redis,
  index: string,
  { limit, after, order = 'desc' }: ListQuery,
  read: (id: string) => Promise<T | undefined>,
): Promise<ListPage<T>> {
  const isRising = order === 'asc';
  let first = 0;
  if (after !== undefined) {
    const rank = isRising ? await redis.zrank(index, after) : await redis.zrevrank(index, after);
    if (rank === null) throw unknownCursor(after);
    first = Number(rank) + 1;
  }
  // One more than asked for tells whether there is another page.
  const last = first + limit;
  const ids = isRising
    ? await redis.zrange(index, String(first), String(last))
    : await redis.zrevrange(index, first, last);
  const found = await Promise.all(ids.slice(0, limit).map((id) => read(id)));
  return { items: found.filter((item) => item !== undefined), hasMore: ids.length > limit };
}

function unknownCursor(after: string): QuernError {
  return new QuernError(
    'INVALID_REQUEST',
    `after: got ${show(after)}, expected the id of an item of the list, such as last_id of the page before`,
    { details: { path: 'after' } },
  );
}
