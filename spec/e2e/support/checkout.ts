import { join } from 'node:path';

/** Whose build, scripts and version are installed: this checkout, unless the bench compares it with another one. */
export const CHECKOUT = process.env.DRAUPNIR_E2E_CHECKOUT ?? join(import.meta.dirname, '../../..');
