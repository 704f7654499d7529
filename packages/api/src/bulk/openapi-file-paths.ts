import type { OpenAPIRegistry, RouteConfig } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { FAULTS, jsonResponse, v1Errors } from '../openapi-responses.ts';
import { listFilesQuerySchema } from './file-routes.ts';
import { fileDeletedSchema, fileListSchema, fileSchema } from './file-to-wire.ts';
import { uploadFieldsSchema } from './upload-form.ts';

const FILES = { tags: ['Files'] };

const idParameter = z.object({ id: z.string().meta({ description: 'Id of the file.' }) });
const bytesSchema = z.string().meta({ format: 'binary' });
const jsonLines = { 'application/jsonl': { schema: bytesSchema } };

const ROUTES: readonly RouteConfig[] = [
  {
    ...FILES,
    method: 'post',
    path: '/v1/files',
    operationId: 'uploadFile',
    summary: 'Upload a file of lines',
    description: 'As with OpenAI; the field `file` is streamed, and may come first or last.',
    request: {
      body: {
        required: true,
        content: {
          'multipart/form-data': {
            schema: uploadFieldsSchema.extend({
              file: bytesSchema.meta({ description: 'One request a line.' }),
            }),
          },
        },
      },
    },
    responses: {
      '200': jsonResponse('The file.', fileSchema),
      ...v1Errors([...FAULTS.upload, 'FORBIDDEN']),
    },
  },
  {
    ...FILES,
    method: 'get',
    path: '/v1/files',
    operationId: 'listFiles',
    summary: 'List files, newest first',
    request: { query: listFilesQuerySchema },
    responses: {
      '200': jsonResponse('A page of files.', fileListSchema),
      ...v1Errors(FAULTS.redis),
    },
  },
  {
    ...FILES,
    method: 'get',
    path: '/v1/files/{id}',
    operationId: 'getFile',
    summary: 'Read about a file',
    request: { params: idParameter },
    responses: { '200': jsonResponse('The file.', fileSchema), ...v1Errors(FAULTS.file) },
  },
  {
    ...FILES,
    method: 'delete',
    path: '/v1/files/{id}',
    operationId: 'deleteFile',
    summary: 'Delete a file',
    request: { params: idParameter },
    responses: {
      '200': jsonResponse('It is deleted.', fileDeletedSchema),
      ...v1Errors(FAULTS.file),
    },
  },
  {
    ...FILES,
    method: 'get',
    path: '/v1/files/{id}/content',
    operationId: 'readFile',
    summary: 'Read the lines of a file, or a range of its bytes',
    request: {
      params: idParameter,
      headers: z.object({
        Range: z.string().optional().meta({ description: 'One range of bytes: `bytes=0-999`.' }),
      }),
    },
    responses: {
      '200': { description: 'The file.', content: jsonLines },
      '206': { description: 'The range.', content: jsonLines },
      ...v1Errors([...FAULTS.file, 'RANGE_NOT_SATISFIABLE']),
    },
  },
];

/** The paths of files. */
export function registerFilePaths(registry: OpenAPIRegistry): void {
  for (const route of ROUTES) registry.registerPath(route);
}
