/** The one clear reason why an upload cannot become an image. Every caller sees it, so that it quotes no row. */
export class PreparationFailure extends Error {
  override readonly name = 'PreparationFailure';
}

/** There is no space for the work. The upload may be good: this is never reported as a fault of the upload. */
export class NoSpace extends Error {
  override readonly name = 'NoSpace';
}
