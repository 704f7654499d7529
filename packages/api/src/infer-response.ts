import { type InferAnswer, inferResponseToWire, stringifyJson } from '@quern/contract';
import type { Response } from 'express';
import { sendJson } from './json-response.ts';
import { JSON_LENGTH_HEADER } from './request-body.ts';
import { endWith } from './whole-body.ts';

/** Sends the answer to an infer request: JSON, and behind it the binary outputs if there are any. */
export function sendInferAnswer(response: Response, answer: InferAnswer): void {
  const { body, holdsBigints, binary } = inferResponseToWire(answer);
  if (binary.length === 0) {
    sendJson(response, 200, body, holdsBigints);
    return;
  }
  if (response.destroyed || response.headersSent) return;
  const json = Buffer.from(stringifyJson(body, holdsBigints));
  const bytes = Buffer.concat([json, ...binary]);
  response.statusCode = 200;
  response.setHeader('Content-Type', 'application/octet-stream');
  response.setHeader(JSON_LENGTH_HEADER, json.byteLength);
  endWith(response, bytes);
}
