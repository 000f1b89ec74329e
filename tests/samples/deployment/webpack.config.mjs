export default {
  target: 'node',
  entry: './server.mjs',
  output: { filename: 'server.cjs' },
  externals: { lmdb: 'commonjs lmdb' },
};
