// Who keeps a process from ending: a tracer must see the end of what it traces before its parent does, and init of a pid
// namespace can't end before all others in there. ptrace(2), pid_namespaces(7)

import { readFileIfPresent } from '../native/file.ts'

export interface Tracer {
  readonly pid: number
  readonly command: string
  /** The process that it traces. */
  readonly traced: number
}

/** The tracer of a process or of one of its children, if there is one. @param pid of the process */
export function tracerOf(pid: number): Tracer | undefined {
  const children = readFileIfPresent(`/proc/${pid}/task/${pid}/children`) ?? ''
  for (const traced of [pid, ...children.split(' ').filter(Boolean).map(Number)]) {
    const tracer = Number(/^TracerPid:\s*(\d+)$/m.exec(readFileIfPresent(`/proc/${traced}/status`) ?? '')?.[1] ?? 0)
    if (tracer === 0) continue
    return { pid: tracer, command: readFileIfPresent(`/proc/${tracer}/comm`)?.trim() ?? '', traced }
  }
  return undefined
}
