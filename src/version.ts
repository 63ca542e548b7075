import pkg from '../package.json' with { type: 'json' };

/** The program's version, `major.minor.patch`; equals DRAUPNIR_VERSION and the CHANGELOG heading (`make lint` checks). */
export const VERSION: string = pkg.version;

/** Name of the request and response header that carries an API version. */
export const VERSION_HEADER = 'Draupnir-Version';
