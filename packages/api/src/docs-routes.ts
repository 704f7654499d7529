import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import type { Response } from 'express';
import { pathNotFound } from './error-responses.ts';
import { sendJson } from './json-response.ts';
import { openApiDocument } from './openapi-document.ts';
import { API_VERSION } from './protocol-routes.ts';
import { type Handler, pathParameter, type Route } from './routes.ts';
import { compressed, endWith } from './whole-body.ts';

/** Everything comes from this server; styles in attributes are Swagger UI's own. */
const DOCS_CSP = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
  "form-action 'none'",
].join('; ');

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quern API</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/init.js"></script>
</body>
</html>
`;

/** The page's own script: with the policy above it cannot stand in the page. */
const INIT_SCRIPT = `SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#ui',
  validatorUrl: null,
  persistAuthorization: true,
  tryItOutEnabled: true,
});
`;

const ASSETS_DIRECTORY = dirname(
  createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'),
);
const ASSETS = new Set(['swagger-ui.css', 'swagger-ui-bundle.js', 'favicon-32x32.png']);
const ASSET_MAX_AGE_MS = 3_600_000;

/** `/`, the documentation and its machine-readable form. */
export function docsRoutes(): Route[] {
  const document = openApiDocument(API_VERSION);
  return [
    {
      path: '/',
      get: (_request, response) =>
        sendJson(response, 200, {
          name: 'quern',
          version: API_VERSION,
          docs: '/docs',
          openapi: '/openapi.json',
          models: '/v1/models',
          predictions: '/v1/predictions',
          protocol: '/v2',
          ready: '/v2/health/ready',
          metrics: '/metrics',
        }),
    },
    { path: '/openapi.json', get: (_request, response) => sendJson(response, 200, document) },
    { path: '/docs', get: (_request, response) => sendPage(response, 'html', PAGE) },
    { path: '/docs/{file}', get: sendAsset },
  ];
}

const sendAsset: Handler = (request, response) => {
  const file = pathParameter(request, 'file');
  if (file === 'init.js') {
    sendPage(response, 'js', INIT_SCRIPT);
    return undefined;
  }
  if (!ASSETS.has(file)) pathNotFound(request);
  return new Promise((resolve, reject) => {
    const options = { root: ASSETS_DIRECTORY, maxAge: ASSET_MAX_AGE_MS };
    const sent = (error?: Error): void => {
      // A browser that breaks a download off is no fault of ours.
      if (error === undefined || response.headersSent) resolve();
      else reject(error);
    };
    compressed(response, () => response.sendFile(file, options, sent));
  });
};

function sendPage(response: Response, type: string, text: string): void {
  response.setHeader('Content-Security-Policy', DOCS_CSP);
  response.type(type);
  endWith(response, text);
}
