/** A seeded generator: a failure names its seed and can be run again. */
export { seededRandom as seeded } from '../../demo/agent/random.ts';
