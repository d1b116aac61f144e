const only = (name, from, comment, allowed) => ({
  name,
  comment,
  severity: 'error',
  from: { path: from },
  to: { path: '^src/', pathNot: allowed },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      comment: 'A cycle means two files with one purpose between them.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-unresolved',
      comment: 'An import that leads nowhere escapes every other rule.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'no-development-dependency',
      comment: 'The image and an installed package come without development dependencies.',
      severity: 'error',
      from: { path: '^src/' },
      to: { dependencyTypes: ['npm-dev'] },
    },
    only(
      'core-imports-only-itself',
      '^src/lib/core/',
      'lib/core is pure: it can be tested with plain values.',
      '^src/lib/core/',
    ),
    {
      name: 'core-has-no-io',
      comment:
        'Time, randomness and I/O arrive in lib/core as arguments; hashing, the ASCII form of a host and tables are pure.',
      severity: 'error',
      from: { path: '^src/lib/core/' },
      to: {
        pathNot: ['^src/', '^(node:)?(crypto|url)$', '^node_modules/(entities|tldts|tldts-core|email-providers)/'],
      },
    },
    only('lib-imports-lib', '^src/lib/', 'lib serves everyone above it and knows none of them.', '^src/lib/'),
    only(
      'producers-import-lib',
      '^src/producers/',
      'Producers and workers meet only in the queue.',
      '^src/(producers|lib)/',
    ),
    only('workers-import-lib', '^src/workers/', 'Producers and workers meet only in the queue.', '^src/(workers|lib)/'),
    only(
      'dashboard-is-a-front-end',
      '^src/dashboard/',
      'The dashboard is a front end like the command line: it calls producers and reports itself; workers it never runs.',
      '^src/(dashboard|producers|reports|lib)/',
    ),
    only(
      'reports-import-lib',
      '^src/reports/',
      'Reports read what the queue and the ledger say; nobody works through them.',
      '^src/(reports|lib)/',
    ),
    only(
      'sandbox-stands-alone',
      '^src/sandbox/',
      'The stand-in must not share code with what it judges.',
      '^src/sandbox/',
    ),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      extensions: ['.ts', '.js'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default'],
    },
  },
};
