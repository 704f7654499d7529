/**
 * docs/errors.md, from the catalogue in contract.
 * @param {Record<string, { httpStatus: number, retryable: boolean, meaning: string }>} catalogue
 * @returns {string}
 */
export function errorsPage(catalogue) {
  const rows = Object.entries(catalogue).map(
    ([code, { httpStatus, retryable, meaning }]) =>
      `| \`${code}\` | ${httpStatus} | ${retryable ? 'yes' : 'no'} | ${meaning} |`,
  );
  return `<!-- Made by \`npm run docs\` from packages/contract/src/errors.ts. Do not edit. -->

# Errors

Every error has a code from this list, a message that says what was got, what was expected and where, and
often \`details\`: \`path\` is the field of the request at fault.

On \`/v1\` the body of an error is \`{"error":{"code","message","details"?}}\`; on \`/v2\` it is
\`{"error":"message"}\`. A prediction that failed has the same code and message in its \`error\`, with
\`retryable\`.

*Retry* says whether the same request may succeed when it is sent again. Statuses 429 and 503 come with a
\`Retry-After\` header.

| code | HTTP status | retry | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}
