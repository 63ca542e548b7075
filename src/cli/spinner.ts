/** Waits for `work`, with something moving on stderr when a person is looking at it. */
export async function withSpinner<T>(text: string, work: () => Promise<T>): Promise<T> {
  if (!process.stderr.isTTY) return await work();
  const { default: createSpinner } = await import('yocto-spinner');
  const spinner = createSpinner({ text, stream: process.stderr }).start();
  try {
    return await work();
  } finally {
    spinner.stop();
  }
}
