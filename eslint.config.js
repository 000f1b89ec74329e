import js from '@eslint/js';
import reactHooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

const HEADER =
  '(Upstream-(URL|Method|Authorization|Content-Type|Status|Outcome|Usage)|' +
  'Stream-(Next-Offset|Up-To-Date|Closed|Cursor|TTL|Expires-At|SSE-Data-Encoding|Key))';

const literals = (pattern, message) => [
  { selector: `Literal[value=${pattern}]`, message },
  { selector: `TemplateElement[value.raw=${pattern}]`, message },
];

const headerMessage = 'Header names are written in protocol/headers.ts and nowhere else.';
const HEADER_LITERALS = [
  ...literals(`/${HEADER}/`, headerMessage),
  ...literals(`/^${HEADER}$/i`, headerMessage),
];
const CORS_LITERALS = literals('/Access-Control-/i', 'CORS headers are set in cors.ts and nowhere else.');
const MODULE_STATE = [
  {
    selector:
      'Program > VariableDeclaration[kind="let"], Program > ExportNamedDeclaration > VariableDeclaration[kind="let"]',
    message: 'No mutable state at module level: two proxies in one process know nothing of each other.',
  },
];

/** The engine passes spread arguments on the stack, which overflows at about 120,000 of them. */
const SPREAD_ARGUMENTS = [
  {
    selector:
      'CallExpression[callee.property.name=/^(push|unshift|splice|concat|fromCharCode|fromCodePoint|max|min)$/] > SpreadElement',
    message: 'Spread arguments overflow the stack at about 120,000 elements. Use a loop.',
  },
];

/** What folders may import from each other: scripts/layers.mjs. `regex` is matched against the import's specifier. */
const SPECIFIER_ENDING = {
  regex: '^\\.{1,2}/(?!.*\\.(tsx?|m?js|json|css)(\\?.*)?$)',
  message: 'A relative import ends in .ts or .tsx.',
};
const forbid = (regex, message) => ({ regex, message });
const imports = (...patterns) => ({
  'no-restricted-imports': ['error', { patterns: [SPECIFIER_ENDING, ...patterns] }],
});
const NO_UNDICI = forbid(
  '^undici$',
  'Import undici/index.js: Bun replaces "undici" by a module of its own, which has no Agent.dispatch.',
);
const NO_NODE = forbid('^node:', 'Code for browsers has no Node built-ins.');
const NO_REACT = forbid('^react|^@tanstack/.*react|^@ai-sdk/react', 'The core never imports React.');

const NODE_GLOBALS = Object.fromEntries(
  ['process', 'console', 'URL', 'Buffer', 'performance', 'fetch', 'document', 'Bun', 'Deno'].map((name) => [
    name,
    'readonly',
  ]),
);

const disableNeedsReason = {
  create(context) {
    return {
      Program() {
        for (const comment of context.sourceCode.getAllComments()) {
          if (
            /^\s*(eslint-disable|@ts-)/.test(comment.value) &&
            !/(--|@ts-expect-error:?) *\S/.test(comment.value)
          ) {
            context.report({ loc: comment.loc, message: 'Say why: `eslint-disable… rule -- reason`.' });
          }
        }
      },
    };
  },
};

export default tseslint.config(
  {
    ignores: [
      ...[
        '**/dist/**',
        '.bundles/**',
        '**/node_modules/**',
        'coverage/**',
        'docs/api/**',
        '**/.durable-proxy/**',
      ],
      // Bundles of released versions.
      'tests/releases/*.mjs',
      // Examples have packages and a tsconfig.json of their own. tests/package/examples-*.test.ts checks their types.
      'examples/**/*.{ts,tsx}',
    ],
  },
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  js.configs.recommended,
  {
    files: ['**/*.{ts,tsx}'],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylistic],
    languageOptions: { parserOptions: { project: './tsconfig.json', tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/no-empty-function': 'off',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-misused-promises': ['error', { checksVoidReturn: { attributes: false } }],
      '@typescript-eslint/require-await': 'off',
      // Types cannot vouch for what comes from JavaScript, JSON or the wire, and code checks it all the same.
      '@typescript-eslint/no-unnecessary-condition': 'off',
      '@typescript-eslint/no-invalid-void-type': 'off',
      '@typescript-eslint/no-unnecessary-type-assertion': 'off',
      '@typescript-eslint/no-unnecessary-type-conversion': 'off',
      // With noUncheckedIndexedAccess, `!` is how one says that a bound was checked.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // Our interfaces declare methods, and our factories return closures that have no `this`.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/only-throw-error': [
        'error',
        { allowThrowingUnknown: true, allowThrowingAny: false },
      ],
      '@typescript-eslint/no-meaningless-void-operator': 'off',
      '@typescript-eslint/unified-signatures': 'off',
    },
  },
  {
    files: ['**/*.{ts,tsx,js,mjs}'],
    plugins: { house: { rules: { 'disable-needs-reason': disableNeedsReason } } },
    languageOptions: { globals: NODE_GLOBALS },
    rules: {
      'house/disable-needs-reason': 'error',
      'max-lines': ['error', 350],
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'object-shorthand': 'error',
      'prefer-template': 'off',
      ...imports(),
      'no-restricted-syntax': [
        'error',
        ...HEADER_LITERALS,
        ...CORS_LITERALS,
        ...MODULE_STATE,
        ...SPREAD_ARGUMENTS,
      ],
    },
  },
  {
    files: ['protocol/**'],
    rules: { 'no-restricted-syntax': ['error', ...CORS_LITERALS, ...MODULE_STATE, ...SPREAD_ARGUMENTS] },
  },
  {
    files: ['**/cors.ts'],
    rules: { 'no-restricted-syntax': ['error', ...HEADER_LITERALS, ...MODULE_STATE, ...SPREAD_ARGUMENTS] },
  },
  {
    files: ['{protocol,server,core-client,react,conformance,inspector-page,demo}/**/*.{ts,tsx}'],
    ignores: ['**/*.test.{ts,tsx}'],
    rules: { '@typescript-eslint/max-params': ['error', { max: 4 }] },
  },
  // The rules' own patterns.
  { files: ['eslint.config.js'], rules: { 'no-restricted-syntax': 'off' } },

  { files: ['protocol/**'], rules: imports(forbid('^(?!\\./)', 'protocol/ imports nothing.')) },
  { files: ['server/**'], rules: imports(NO_UNDICI) },
  { files: ['core-client/**'], rules: imports(NO_NODE, NO_REACT) },
  { files: ['react/**', 'inspector-page/**'], rules: imports(NO_NODE) },
  {
    files: ['{protocol,server,core-client,react,conformance}/**/*.{ts,tsx}'],
    ignores: ['server/bin.ts', 'server/cli/**', 'conformance/**/cli.ts', '**/*.test.{ts,tsx}'],
    rules: { 'no-console': 'error' },
  },

  {
    files: ['{react,demo}/**/*.{ts,tsx}'],
    extends: [reactHooks.configs.flat['recommended-latest']],
  },

  {
    files: ['examples/**'],
    rules: {
      // Scripts for Node.js and scripts for pages are side by side.
      'no-undef': 'off',
      'no-restricted-syntax': 'off',
      'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['**/*.{test,test-d}.{ts,tsx}', 'tests/**/*.{ts,tsx}'],
    rules: {
      'max-lines': ['error', 500],
      // Requests are also written byte by byte there, in lower case, and titles name headers.
      'no-restricted-syntax': ['error', ...literals(`/^${HEADER}$/`, headerMessage)],
      // A test reads JSON and breaks things on purpose; what is wrong with its types fails when it runs.
      '@typescript-eslint/no-unsafe-assignment': 'off',
      '@typescript-eslint/no-unsafe-member-access': 'off',
      '@typescript-eslint/no-unsafe-argument': 'off',
      '@typescript-eslint/no-unsafe-call': 'off',
      '@typescript-eslint/no-unsafe-return': 'off',
      '@typescript-eslint/no-empty-object-type': 'off',
      '@typescript-eslint/no-misused-spread': 'off',
      '@typescript-eslint/no-dynamic-delete': 'off',
      '@typescript-eslint/restrict-plus-operands': 'off',
      '@typescript-eslint/restrict-template-expressions': 'off',
      '@typescript-eslint/await-thenable': 'off',
      ...imports(),
    },
  },
  {
    files: ['tests/samples/*/*.{ts,tsx}'],
    rules: {
      // Samples are written as their readers write code: async listeners of signals, values of a form.
      '@typescript-eslint/no-misused-promises': 'off',
      '@typescript-eslint/no-base-to-string': 'off',
      // A module of NestJS is a class with nothing but a decorator.
      '@typescript-eslint/no-extraneous-class': ['error', { allowWithDecorator: true }],
    },
  },
);
