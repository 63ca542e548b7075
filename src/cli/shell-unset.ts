/**
 * A command for `eval` that removes environment variables in bash, dash, zsh and fish alike, also under `set -eu`, and
 * fails where it cannot (a variable that is readonly). `names` are plain identifiers.
 */
export function formatUnset(names: readonly string[]): string {
  const list = names.join(' ');
  // fish has no `unset`, and POSIX shells read `set -e NAME` as options and arguments. Between single quotes fish alone
  // takes \\ for one backslash: the test is true in fish, and only there. Any variable, such as $FISH_VERSION, would
  // fail under `set -u`.
  return `test '\\\\' = \\\\ && eval '${formatForFish(list)}' || unset ${list}`;
}

/**
 * A universal variable of fish belongs to all sessions and must stay, and only an exported variable hides it from
 * programs. An empty one does: libpq ignores it, or refuses to connect (PGSERVICE); it connects to no other server.
 */
function formatForFish(list: string): string {
  const erase = 'set -eg $name; set -qx $name; and set -gx $name';
  // `begin` and `set -l` keep a variable of the user that has the loop's name.
  return `begin; set -l name; for name in ${list}; ${erase}; end; true; end`;
}
