/** What the sign-in page shows. */
export type SignInView =
  /** The form; `problem` says why the last attempt failed. */
  | { readonly kind: 'form'; readonly next: string; readonly problem?: string }
  | { readonly kind: 'signed-in'; readonly user: string }
  /** No account is configured. */
  | { readonly kind: 'unavailable' };

export function renderSignInPage(view: SignInView): string {
  return `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="utf-8">
  <meta name="viewport" content="width=device-width, initial-scale=1">
  <meta name="robots" content="noindex">
  <title>Sign in to Quern</title>
  <link rel="icon" href="data:,">
  <style>${STYLE}</style>
</head>
<body>
  <main>
    <h1>Quern</h1>
${content(view)}
  </main>
</body>
</html>
`;
}

function content(view: SignInView): string {
  switch (view.kind) {
    case 'form':
      return form(view.next, view.problem);
    case 'signed-in':
      return `    <p>Signed in as <strong>${escapeHtml(view.user)}</strong>.</p>
    <form method="post" action="/sign-out"><button>Sign out</button></form>
    <p><a href="/">Back to the board</a></p>`;
    case 'unavailable':
      return `    <p>This dashboard is read-only: it has no account to sign in with.</p>
    <p>To retry, remove or pause from here, set <code>QUERN_DASHBOARD_USER</code> and
    <code>QUERN_DASHBOARD_PASSWORD</code> in its environment and start it again.</p>
    <p><a href="/">Back to the board</a></p>`;
  }
}

function form(next: string, problem: string | undefined): string {
  const alert = problem === undefined ? '' : `    <p role="alert">${escapeHtml(problem)}</p>\n`;
  return `${alert}    <form method="post" action="/sign-in">
      <input type="hidden" name="next" value="${escapeHtml(next)}">
      <label>User <input name="user" autocomplete="username" required autofocus></label>
      <label>Password
        <input name="password" type="password" autocomplete="current-password" required></label>
      <button>Sign in</button>
    </form>`;
}

function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}

const STYLE = `
    :root { color-scheme: light dark; --line: #8886; --accent: #2563eb; --alert: #dc2626; }
    body { margin: 0; min-height: 100vh; display: grid; place-items: center;
      font: 16px/1.5 system-ui, sans-serif; }
    main { width: min(22rem, 90vw); padding: 2rem; border: 1px solid var(--line); border-radius: 12px; }
    h1 { margin: 0 0 1rem; font-size: 1.4rem; }
    label { display: block; margin-bottom: 1rem; }
    input { display: block; box-sizing: border-box; width: 100%; margin-top: .25rem; padding: .5rem;
      font: inherit; border: 1px solid var(--line); border-radius: 6px; }
    button { width: 100%; padding: .6rem; font: inherit; font-weight: 600; color: #fff;
      background: var(--accent); border: 0; border-radius: 6px; cursor: pointer; }
    [role=alert] { color: var(--alert); }
`;
