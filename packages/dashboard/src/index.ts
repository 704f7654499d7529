export type { Credentials } from './access/credentials.ts';
export { buildApp, type DashboardApp, type DashboardDeps } from './app.ts';
export { type DashboardOptions, type RunningDashboard, startDashboard } from './server.ts';
export { type DashboardSettings, dashboardSettings, readDashboardSettings } from './settings.ts';
