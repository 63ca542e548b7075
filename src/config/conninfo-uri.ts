import { ConninfoError } from './conninfo-error.ts';

/**
 * Splits a `postgres://` URI as libpq does (conninfo_uri_parse_options in fe-connect.c), which is not what WHATWG's URL
 * does: hosts may be percent-encoded socket directories, and parameters set any keyword. Throws `ConninfoError`.
 */
export function parseConninfoUri(uri: string): Map<string, string> {
  const settings = new Map<string, string>();
  const store = (keyword: string, encoded: string | undefined) => {
    if (encoded !== undefined && encoded !== '') settings.set(keyword, decode(encoded));
  };

  const parts =
    /^\w+:\/\/(?:(?<userinfo>[^@/]*)@)?(?<address>[^/?]*)(?:\/(?<dbname>[^?]*))?(?:\?(?<query>.*))?$/s.exec(
      uri,
    );
  const { userinfo = '', address = '', dbname, query = '' } = parts?.groups ?? {};

  const colon = userinfo.indexOf(':');
  store('user', colon < 0 ? userinfo : userinfo.slice(0, colon));
  if (colon >= 0) store('password', userinfo.slice(colon + 1));

  const [, ipv6, host, port] = /^(?:\[([^\]]+)\]|([^:[\]]*))(?::([^:]*))?$/.exec(address) ?? fail(HOST_HINT);
  store('host', ipv6 ?? host);
  store('port', port);
  store('dbname', dbname);

  for (const [keyword, value] of splitQuery(query)) {
    // The one spelling of JDBC that libpq takes.
    if (keyword === 'ssl' && value === 'true') settings.set('sslmode', 'require');
    else settings.set(keyword, value);
  }
  return settings;
}

const HOST_HINT =
  'must be postgres://USER:PASSWORD@HOST:PORT/DATABASE, an IPv6 address in brackets; ' +
  'in the password write %40 for "@", %2F for "/", %3A for ":", %3F for "?"';

function* splitQuery(query: string): Generator<[string, string]> {
  // One "&" may stand at the end.
  for (const pair of query === '' ? [] : query.replace(/&$/, '').split('&')) {
    const [keyword = '', value, ...rest] = pair.split('=');
    if (value === undefined || rest.length > 0) fail('must have parameters of the form ?KEY=VALUE&KEY=VALUE');
    else yield [decode(keyword), decode(value)];
  }
}

function decode(text: string): string {
  try {
    const decoded = decodeURIComponent(text);
    if (!decoded.includes('\0')) return decoded;
  } catch {
    // Told below, in words that quote nothing of the text.
  }
  return fail('must have "%" followed by two hex digits, and written as %25 where it stands for itself');
}

function fail(message: string): never {
  throw new ConninfoError(message);
}
