/** Imports point one way (README, "Design notes"). A layer may import itself and what is listed. */
const layers = {
  core: [],
  wire: ['core'],
  doctor: ['core', 'cli/shell-quote'],
  db: ['core', 'doctor'],
  exec: ['core', 'doctor'],
  auth: ['core'],
  tls: ['core'],
  audit: ['core'],
  jobs: ['core'],
  prepare: ['core', 'failpoints'],
  metrics: ['core'],
  sentry: ['core'],
  config: ['core'],
  http: ['core', 'wire', 'version'],
  cli: ['wire', 'version', 'core/quote', 'config', 'server', 'quickstart', 'prepare/run-prepare'],
  quickstart: ['wire', 'version', 'core', 'config', 'assets', 'tls', 'exec', 'cli'],
};

const path = (name) => `^src/${name}(/|\\.ts$)`;

module.exports = {
  forbidden: [
    ...Object.entries(layers).map(([layer, allowed]) => ({
      name: `${layer}-imports`,
      severity: 'error',
      comment: `src/${layer} may import ${allowed.join(', ') || 'nothing of ours'}`,
      from: { path: path(layer) },
      to: { path: '^src/', pathNot: [layer, ...allowed].map(path) },
    })),
    {
      name: 'core-is-pure',
      severity: 'error',
      comment: 'the domain and its checks know no web framework, database driver, process runner or logger',
      from: { path: [path('core'), path('doctor')] },
      to: { path: 'node_modules/(fastify|pg|execa|pino|node-forge|commander|prom-client|@sentry)/' },
    },
    {
      name: 'fastify-only-in-http',
      severity: 'error',
      from: { path: '^src/', pathNot: [path('http'), path('server')] },
      to: { path: 'node_modules/(@?fastify)' },
    },
    {
      name: 'sentry-loaded-on-demand',
      severity: 'error',
      comment: 'a server without sentry_dsn never loads the SDK',
      from: { path: '^src/', pathNot: path('sentry') },
      to: {
        path: ['node_modules/@sentry/', path('sentry')],
        dependencyTypesNot: ['type-only', 'dynamic-import'],
      },
    },
    {
      name: 'black-box',
      severity: 'error',
      comment: 'e2e and host tests and the bench see the built program only; the floor has the same proof',
      from: { path: '^(spec/(e2e|host)|bench)/', pathNot: '^bench/proof\\.ts$' },
      to: { path: '^src/' },
    },
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    { name: 'no-orphans', severity: 'error', from: { orphan: true, path: '^src/' }, to: {} },
    {
      name: 'no-dev-dependencies',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
