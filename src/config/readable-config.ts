import type { OauthConfig, ServerConfig } from './server-config.ts';

/** A configuration in which wrong and missing values are absent, also of required keys. */
export type ReadableConfig = {
  readonly [K in keyof ServerConfig]?:
    (K extends 'oauth' ? Partial<OauthConfig> : ServerConfig[K]) | undefined;
};
