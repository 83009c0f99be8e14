// The text of /proc/PID/uid_map and gid_map: "inside outside count" on a line. user_namespaces(7)

export interface IdRange {
  readonly containerID: number
  readonly hostID: number
  readonly size: number
}

/** What the files are written with. */
export function idMapText(ranges: readonly IdRange[]): string {
  return ranges.map(({ containerID, hostID, size }) => `${containerID} ${hostID} ${size}\n`).join('')
}

/** The ids of a map, as those of the namespace itself: what a namespace below may have of them. @param text of a map */
export function sameIds(text: string): IdRange[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [first = 0, , size = 0] = line.trim().split(/\s+/).map(Number)
      return { containerID: first, hostID: first, size }
    })
}

/**
 * @param text of a map as this process reads it
 * @param inside an id in that user namespace
 * @returns the same id as this process has it; undefined when nobody is that here
 */
export function idOutside(text: string, inside: number): number | undefined {
  for (const line of text.split('\n')) {
    const match = /^\s*(\d+)\s+(\d+)\s+(\d+)\s*$/.exec(line)
    if (match === null) continue
    const [first = 0, outside = 0, count = 0] = match.slice(1).map(Number)
    if (inside >= first && inside < first + count) return outside + (inside - first)
  }
  return undefined
}
