/**
 * @typedef {{ variable: string, fallback: unknown, meaning: string, secret?: boolean }} Setting
 */

/**
 * docs/settings.md, from what each service declares.
 * @param {Record<string, Record<string, Setting>>} services settings by service
 * @returns {string}
 */
export function settingsPage(services) {
  /** @type {Map<string, { setting: Setting, readBy: string[] }>} */
  const byVariable = new Map();
  for (const [service, settings] of Object.entries(services)) {
    for (const setting of Object.values(settings)) {
      const known = byVariable.get(setting.variable) ?? { setting, readBy: [] };
      known.readBy.push(service);
      byVariable.set(setting.variable, known);
    }
  }
  const rows = [...byVariable.values()]
    .sort((a, b) => a.setting.variable.localeCompare(b.setting.variable))
    .map(({ setting, readBy }) => {
      const { variable, fallback, meaning, secret } = setting;
      const note = secret === true ? ' Secret: never logged.' : '';
      return `| \`${variable}\` | ${readBy.join(', ')} | ${formatFallback(fallback)} | ${meaning}${note} |`;
    });
  return `<!-- Made by \`npm run docs\` from what the services declare. Do not edit. -->

# Settings

Every service is configured by environment variables, read once when it starts. An invalid value is an
error that names the variable, what was got and what was expected. \`quern up\` passes its own environment
on to the services it starts.

| variable | read by | default | meaning |
|---|---|---|---|
${rows.join('\n')}
`;
}

/** @param {unknown} fallback */
function formatFallback(fallback) {
  const isNone =
    fallback === undefined || fallback === '' || (Array.isArray(fallback) && fallback.length === 0);
  return isNone ? '-' : `\`${String(fallback)}\``;
}
