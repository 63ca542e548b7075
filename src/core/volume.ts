/** The volume that holds images and instances. */
export interface Volume {
  /** Throws `storage_unavailable` when it is not mounted or cannot be written to. */
  requireMounted(): Promise<void>;
  /**
   * Resolves when new work may be put on it. Throws `insufficient_disk`, with what is missing, and as
   * `requireMounted` does.
   */
  requireSpace(): Promise<void>;
}
