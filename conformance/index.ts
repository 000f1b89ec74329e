export { runConformanceCommand } from './command.ts';
export { listProxyConformance, runProxyConformance, TargetError } from './runner.ts';
export {
  EXTENSIONS,
  SECTION_NAMES,
  type ConformanceResult,
  type Extension,
  type ProxyTarget,
  type SectionName,
  type SignUrl,
  type TestResult,
} from './types.ts';
