export default {
  // Loads the package from node_modules: LMDB has a native part, which cannot be bundled.
  serverExternalPackages: ['durable-proxy'],
};
