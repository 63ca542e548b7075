/** Where an error happened. Nothing else of the request, the loop or the image is reported. */
export interface ErrorContext {
  /** What failed, as the log has it: constant text without data. */
  failure: string;
  /** Id of the error as clients get it; for failures outside requests, a constant id of the same form. */
  errorId: string;
  requestId?: string;
  method?: string;
  /** Pattern of the path, such as `/instances/:id`; never the path itself. */
  route?: string;
  status?: number;
  /** Name of the loop. */
  loop?: string;
  imageId?: number;
  /** Step of the preparation that failed. */
  step?: string;
}

/** Reports errors to a service outside. Absent where the operator has configured none. */
export interface ErrorReporter {
  /** Returns at once and never throws. Messages of errors are not reported: they may quote rows or scripts. */
  report(error: unknown, context: ErrorContext): void;
}
