/** A reader that has seen enough (`| head`) is no failure: leave silently instead of dying of EPIPE with a stack trace. */
export function leaveQuietlyOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      if (stream === process.stdout) process.exit();
    });
  }
}
