import { stringifyJson } from '@quern/contract';
import type { Response } from 'express';
import { endWith } from './whole-body.ts';

const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';

/**
 * Sends a JSON answer. Not Express's `json`: it would look for bigints in vain and make entity tags,
 * which no client of predictions uses.
 * @param holdsBigints see `stringifyJson`
 */
export function sendJson(
  response: Response,
  status: number,
  body: unknown,
  holdsBigints = false,
): void {
  if (response.destroyed || response.headersSent) return;
  const text = stringifyJson(body, holdsBigints);
  response.statusCode = status;
  response.setHeader('Content-Type', JSON_CONTENT_TYPE);
  endWith(response, text);
}
