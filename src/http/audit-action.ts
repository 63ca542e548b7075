/** Names of what changes something, reveals credentials or lets somebody in. */
const ACTIONS = new Map([
  ['POST /images', 'image.create'],
  ['PATCH /images/:id', 'image.correct'],
  ['POST /images/:id/done', 'image.finalise'],
  ['DELETE /images/:id', 'image.destroy'],
  ['POST /instances', 'instance.create'],
  ['GET /instances/:id', 'instance.read'],
  ['POST /instances/:id/credentials', 'instance.rotate'],
  ['DELETE /instances/:id', 'instance.destroy'],
  ['GET /authenticate', 'login.begin'],
  ['GET /oauth_callback', 'login.callback'],
  ['POST /access_tokens', 'login.token'],
]);

/** A request as the router sees it; `route` is the pattern, absent where there is no such path. */
export interface RoutedRequest {
  method: string;
  route: string | undefined;
}

/** What a request attempts, if that is to be entered whatever comes of it: so is every method that is not only for reading. */
export function findAttempt({ method, route }: RoutedRequest): string | undefined {
  if (route === undefined) return undefined;
  const key = getKey(method, route);
  return ACTIONS.get(key) ?? (method === 'GET' || method === 'HEAD' ? undefined : key);
}

/** The action to enter for an answered request: an attempt, or anything that was refused for who sends it. */
export function findAction(request: RoutedRequest, status: number): string | undefined {
  const { method, route } = request;
  // A method that a path does not have attempts nothing.
  if (route === undefined || status === 405) return undefined;
  const refused = status === 401 || status === 403 || status === 429;
  return findAttempt(request) ?? (refused ? getKey(method, route) : undefined);
}

/** HEAD is answered by what answers GET. */
function getKey(method: string, route: string): string {
  return `${method === 'HEAD' ? 'GET' : method} ${route}`;
}
