import {
  Busboy,
  type BusboyFileStream,
  type BusboyHeaders,
  type BusboyInstance,
} from '@fastify/busboy';
import type { Bulk, StoredFile, Upload } from '@quern/bulk';
import { QuernError, show } from '@quern/contract';
import type { Request } from 'express';
import { z } from 'zod';
import { invalidRequest, parseRequest } from '../request-schema.ts';

const HOUR_SECONDS = 3600;
const MAX_EXPIRY_SECONDS = 30 * 24 * HOUR_SECONDS;
/** Longer names are cut. */
const MAX_NAME_LENGTH = 255;
const FORM_LIMITS = { files: 8, fields: 8, parts: 9, fieldNameSize: 100, fieldSize: 1000 };

const expiryText = `expected a number from ${HOUR_SECONDS} to ${MAX_EXPIRY_SECONDS}`;

/** The fields of the form beside the file; those that are not known are passed over. */
export const uploadFieldsSchema = z.object({
  purpose: z.enum(['batch']).meta({ description: 'What the file is for.' }),
  'expires_after[anchor]': z.enum(['created_at']).optional(),
  'expires_after[seconds]': z
    .string({ error: expiryText })
    .regex(/^\d{1,9}$/, { error: expiryText, abort: true })
    .transform(Number)
    .refine((value) => value >= HOUR_SECONDS && value <= MAX_EXPIRY_SECONDS, { error: expiryText })
    .optional()
    .meta({ type: 'integer', minimum: HOUR_SECONDS, maximum: MAX_EXPIRY_SECONDS }),
});

/** One form, as far as it has come in. */
interface Form {
  readonly fields: Map<string, string>;
  storing: Promise<StoredFile> | undefined;
  /** The form's own fault, found while it was read. */
  fault: QuernError | undefined;
}

/**
 * Stores the file of a multipart form while it comes in.
 * @throws QuernError `UNSUPPORTED_MEDIA_TYPE`, `INVALID_REQUEST`, `PAYLOAD_TOO_LARGE`, `STORAGE_FULL`
 */
export async function receiveUpload(request: Request, { files }: Bulk): Promise<StoredFile> {
  const parser = parserOf(request);
  const form: Form = { fields: new Map(), storing: undefined, fault: undefined };
  const incoming: BusboyFileStream[] = [];
  parser.on('file', (field, stream, filename) => {
    incoming.push(stream);
    // A form that is cut off fails the parser as well, and that is told; nobody may listen here by then.
    stream.on('error', () => {});
    if (field !== 'file' || form.storing !== undefined) {
      form.fault ??= invalidRequest(field, 'got a file, expected one, in the field "file"');
      stream.resume();
      return;
    }
    const storing = files.write(stream, async () => {
      // Fields may come behind the file.
      await parsed;
      return uploadOf(form, filename);
    });
    // A refusal ends the reading of the form, and is told below.
    storing.catch((error: unknown) => parser.destroy(asError(error)));
    form.storing = storing;
  });
  parser.on('field', (name, value) => form.fields.set(name, value));
  for (const event of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const) {
    parser.on(event, () => {
      form.fault ??= invalidRequest('body', 'got more parts than a form with one file has');
    });
  }
  const parsed = parse(request, parser);
  try {
    await parsed;
  } catch (error) {
    // The parser does not tell the file's reader that nothing more will come.
    for (const stream of incoming) stream.destroy(asError(error));
    await form.storing?.catch(() => {});
    throw unreadable(error);
  }
  if (form.storing !== undefined) return form.storing;
  throw form.fault ?? invalidRequest('file', 'got nothing, expected a file');
}

/** Not a pipeline: that would end the connection with the parser, and nobody could be told why. */
function parse(request: Request, parser: BusboyInstance): Promise<void> {
  return new Promise((resolve, reject) => {
    parser.once('finish', resolve);
    // Not only once: whoever reads the file fails as well then, and destroys the parser again.
    parser.on('error', (error) => {
      reject(asError(error));
      request.unpipe(parser);
      request.resume();
    });
    request.once('close', () => {
      if (!request.complete) reject(new Error('the connection was closed'));
    });
    request.pipe(parser);
  });
}

function uploadOf({ fields, fault }: Form, filename: string): Upload {
  if (fault !== undefined) throw fault;
  const given = parseRequest(uploadFieldsSchema, Object.fromEntries(fields), 'body');
  const seconds = given['expires_after[seconds]'];
  return {
    filename: filename === '' ? 'file' : filename.slice(0, MAX_NAME_LENGTH),
    purpose: given.purpose,
    ...(seconds !== undefined && { retentionMs: seconds * 1000 }),
  };
}

function parserOf({ headers }: Request): BusboyInstance {
  const type = headers['content-type'];
  if (type === undefined || !/^multipart\/form-data\s*;/i.test(type)) {
    throw unsupported(`Content-Type: got ${show(type)}, expected multipart/form-data`);
  }
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw unsupported(`Content-Encoding: got ${show(encoding)}, expected none for a form`);
  }
  try {
    return new Busboy({ headers: headers as BusboyHeaders, limits: FORM_LIMITS });
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): QuernError {
  if (error instanceof QuernError) return error;
  const reason = asError(error).message.slice(0, 200);
  return invalidRequest('body', `could not be read as multipart/form-data (${reason})`);
}

function unsupported(message: string): QuernError {
  return new QuernError('UNSUPPORTED_MEDIA_TYPE', message);
}

function asError(error: unknown): Error {
  return error instanceof Error ? error : new Error(String(error));
}
