import { Router } from 'express';

export const BOARD_STYLE_FILE = 'quern-board.css';

/**
 * Icons of the board's actions that `judgeOperation` refuses, in its menus and on its jobs. The page has
 * no setting to leave them out; should a release of it name its icons otherwise, they show again, and
 * still do nothing but say why.
 */
const MENU_ICONS = [
  'lucide-plus', // add a job
  'lucide-chart-no-axes-gantt', // set the concurrency
  'lucide-gauge', // set a rate limit
  'lucide-trash-2', // empty the queue
  'lucide-ban', // obliterate the queue
];
const JOB_ICONS = [
  'lucide-files', // duplicate
  'lucide-pencil', // edit the data
  'lucide-arrow-up-down', // change the priority
  'lucide-clock', // reschedule
];

const STYLE = `${[
  ...MENU_ICONS.map((icon) => `[role='menuitem']:has(> .${icon})`),
  ...JOB_ICONS.map((icon) => `button:has(> .${icon})`),
].join(',\n')} {
  display: none;
}
`;

/** Serves the style that hides them. */
export function hiddenActions(): Router {
  const router = Router();
  router.get(`/${BOARD_STYLE_FILE}`, (_request, response) => {
    response.type('css').send(STYLE);
  });
  return router;
}
