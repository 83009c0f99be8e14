// Lists of CPUs or memory nodes, as the kernel's cpusets and the runtime-spec write them: "0-3,7". cpuset(7), List format

/** The most CPUs that a kernel can be built for. */
const MOST_CPUS = 8192

/** Text → ranges from first to last, in the order of the text. */
function rangesOf(text: string): [first: number, last: number][] | undefined {
  const ranges: [number, number][] = []
  for (const part of text.split(',')) {
    const [, from, to = from] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? []
    const [first, last] = [Number(from), Number(to)]
    if (!(first <= last && last < MOST_CPUS)) return undefined
    ranges.push([first, last])
  }
  return ranges
}

/** Text → its members, in the order of the text. @returns undefined when it is no such list */
export function cpuList(text: string): number[] | undefined {
  return rangesOf(text)?.flatMap(([first, last]) =>
    Array.from({ length: last - first + 1 }, (_, index) => first + index),
  )
}

/**
 * Text → the mask that sched_setaffinity(2) and set_mempolicy(2) take.
 * @returns undefined when it is no such list
 */
export function cpuMask(list: string): Uint8Array | undefined {
  const ranges = rangesOf(list)
  if (ranges === undefined) return undefined
  const mask = new Uint8Array(MOST_CPUS / 8)
  let end = 0
  for (const [first, last] of ranges) {
    for (let cpu = first; cpu <= last; cpu++) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7))
    end = Math.max(end, last)
  }
  // The kernel counts in longs.
  return mask.subarray(0, ((end >> 6) + 1) * 8)
}
