export { type Summary, summarise } from './summary.ts';
