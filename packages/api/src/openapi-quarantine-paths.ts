import type { OpenAPIRegistry } from '@asteasolutions/zod-to-openapi';
import { z } from 'zod';
import { ADMINISTRATORS, FAULTS, jsonBody, jsonResponse, v1Errors } from './openapi-responses.ts';
import { liftedSchema, liftQuarantineSchema, quarantineSchema } from './quarantine-routes.ts';

const modelParameter = z.object({ model: z.string().meta({ description: 'Name of the model.' }) });

/** The paths of the quarantine. */
export function registerQuarantinePaths(registry: OpenAPIRegistry): void {
  registry.registerPath({
    tags: ['Models'],
    method: 'get',
    path: '/v1/models/{model}/quarantine',
    operationId: 'listQuarantine',
    summary: 'List the inputs that are refused because they ended the process of the model',
    request: { params: modelParameter },
    responses: {
      '200': jsonResponse('Inputs in quarantine, the latest first.', quarantineSchema),
      ...v1Errors(FAULTS.model),
    },
  });
  registry.registerPath({
    tags: ['Models'],
    ...ADMINISTRATORS,
    method: 'post',
    path: '/v1/models/{model}/quarantine/lift',
    operationId: 'liftQuarantine',
    summary: 'Accept an input in quarantine again, or all of them',
    request: {
      params: modelParameter,
      body: jsonBody(liftQuarantineSchema, { 'all inputs': {} }),
    },
    responses: {
      '200': jsonResponse('How many were in quarantine.', liftedSchema),
      ...v1Errors([...FAULTS.modelBody, ...FAULTS.administration]),
    },
  });
}
