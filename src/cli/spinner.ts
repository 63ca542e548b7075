/** Waits for `work`, with something moving on stderr when a person is looking at it. */
export async function withSpinner<T>(text: string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return await work();
  const [{ default: createSpinner }, { beforeInterruption }] = await Promise.all([
    import('yocto-spinner'),
    import('./interruption.ts'),
  ]);
  // Its own handlers of signals would end the process before anything is reported.
  const spinner = createSpinner({ text, stream: process.stderr, handleSignals: false }).start();
  // It hides the cursor.
  const forget = beforeInterruption(() => spinner.stop());
  try {
    return await work();
  } finally {
    forget();
    spinner.stop();
  }
}
