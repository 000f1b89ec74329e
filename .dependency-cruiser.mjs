import { LAYERS } from './scripts/layers.mjs';

const OURS = '^(protocol|server|core-client|react|conformance|inspector-page|demo|bench|scripts|tests)/';
const TESTS = '\\.test(-d)?\\.tsx?$';

/** Returns a regular expression for the files of a layer: those in its folder that are in no inner layer. */
function filesOf(path) {
  const escaped = path.replaceAll('.', '\\.');
  if (!path.endsWith('/')) return `^${escaped}$`;
  const inner = LAYERS.filter((layer) => layer.path !== path && layer.path.startsWith(path));
  if (inner.length === 0) return `^${escaped}`;
  const paths = inner.map((layer) => layer.path.slice(path.length).replaceAll('.', '\\.'));
  return `^${escaped}(?!${paths.join('|')})`;
}

const targets = (paths) => paths.map((path) => (path === 'server/' ? '^server/' : filesOf(path)));

function rulesOf({ path, imports = [], types = [] }) {
  const from = { path: filesOf(path), pathNot: TESTS };
  const folders = {
    name: `${path} imports a folder that scripts/layers.mjs does not allow`,
    severity: 'error',
    from,
    to: { path: OURS, pathNot: [...targets([...imports, ...types]), filesOf(path)] },
  };
  const onlyTypes = {
    name: `${path} may import only types from here`,
    severity: 'error',
    from,
    to: { path: targets(types), dependencyTypesNot: ['type-only'] },
  };
  return types.length > 0 ? [folders, onlyTypes] : [folders];
}

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no circular imports', severity: 'error', from: {}, to: { circular: true } },
    ...LAYERS.flatMap(rulesOf),
  ],
  options: {
    // An import of a type counts as well.
    tsPreCompilationDeps: true,
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '(^|/)(dist|node_modules)/' },
    enhancedResolveOptions: { extensions: ['.ts', '.tsx', '.mjs', '.js'] },
  },
};
