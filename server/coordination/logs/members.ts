/** Returns the members that were added with `+member` and not removed with `-member` since. */
export function membersOf(lines: readonly string[]): ReadonlySet<string> {
  const members = new Set<string>();
  for (const line of lines) {
    if (line.startsWith('+')) members.add(line.slice(1));
    else members.delete(line.slice(1));
  }
  return members;
}

/** Returns the lines that add the same members to a new log. */
export function carryMembers(lines: readonly string[]): string[] {
  return [...membersOf(lines)].map((member) => `+${member}`);
}
