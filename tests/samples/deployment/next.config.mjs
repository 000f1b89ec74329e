export default {
  output: 'standalone',
  serverExternalPackages: ['durable-proxy'],
  // Next.js does not find the native part of LMDB.
  outputFileTracingIncludes: { '/*': ['node_modules/@lmdb/**/*'] },
};
