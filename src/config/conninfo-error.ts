/** Thrown for a connection string that cannot be read. The message quotes nothing of it: a piece may be the password. */
export class ConninfoError extends Error {
  override readonly name = 'ConninfoError';
}
