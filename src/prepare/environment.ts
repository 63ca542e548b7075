/** The environment of all programs: none of ours, and messages in English. */
export const ENVIRONMENT = {
  PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
  LC_ALL: 'C',
  HOME: '/nonexistent',
  PGCLIENTENCODING: 'UTF8',
} as const;
