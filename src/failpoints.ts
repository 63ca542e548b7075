/**
 * Passes the parts through which the domain reaches the world, as they are. The builds of the fault tests put
 * `spec/e2e/faults/support/server-failpoints.ts` in the place of this module: nothing of it is in a release.
 */
export function withFailpoints<Parts extends object>(_kind: string, parts: Parts): Parts {
  return parts;
}
