// Lists of CPUs or memory nodes, as the kernel's cpusets and the runtime-spec write them: "0-3,7". cpuset(7), List format

/** The most CPUs that a kernel can be built for. */
const MOST_CPUS = 8192

/**
 * Text → the mask that sched_setaffinity(2) and set_mempolicy(2) take.
 * @returns undefined when it is no such list
 */
export function cpuMask(list: string): Uint8Array | undefined {
  const mask = new Uint8Array(MOST_CPUS / 8)
  let last = 0
  for (const part of list.split(',')) {
    const [, from, to = from] = /^\s*(\d{1,4})(?:-(\d{1,4}))?\s*$/.exec(part) ?? []
    const [first, end] = [Number(from), Number(to)]
    if (!(first <= end && end < MOST_CPUS)) return undefined
    for (let cpu = first; cpu <= end; cpu++) mask[cpu >> 3] = (mask[cpu >> 3] ?? 0) | (1 << (cpu & 7))
    last = Math.max(last, end)
  }
  // The kernel counts in longs.
  return mask.subarray(0, ((last >> 6) + 1) * 8)
}
