import { userInfo } from 'node:os';
import { isAbsolute } from 'node:path';

/**
 * The user's home directory: `HOME`, or the password database's where that is unset, empty or relative (Node's
 * `homedir` takes an empty one for the current directory). Undefined without an entry, as in many containers, and
 * with the entry `/`, which system users have.
 */
export function findHome(): string | undefined {
  const { HOME } = process.env;
  if (HOME !== undefined && isAbsolute(HOME)) return HOME;
  const entry = findPasswordEntry();
  return entry !== undefined && isAbsolute(entry) && entry !== '/' ? entry : undefined;
}

function findPasswordEntry(): string | undefined {
  try {
    return userInfo().homedir;
  } catch {
    // Node throws for a user id that is not in the database.
    return undefined;
  }
}
