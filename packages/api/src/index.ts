export { ApiMetrics } from './api-metrics.ts';
export { type AppDeps, buildApp } from './app.ts';
export { modelListSchema, modelSchema, type WireModel } from './model-to-wire.ts';
export { type OpenApiDocument, openApiDocument } from './openapi-document.ts';
export { type ApiServer, type ServerOptions, startApiServer } from './server.ts';
export { apiSettings } from './settings.ts';
