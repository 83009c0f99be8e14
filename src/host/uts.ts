// What uname(2) says in a UTS namespace.

import { encodeName } from '../linux/names.ts'
import { readFile } from '../native/file.ts'
import { syscall } from '../native/syscall.ts'
import { withinNamespace } from './within.ts'

export interface UtsNames {
  readonly hostname: string
  readonly domainname: string
}

/** @param file that stands for the namespace @throws SyscallError */
export function readUtsNames(file: string): UtsNames {
  return withinNamespace('uts', file, () => ({
    hostname: readFile('/proc/sys/kernel/hostname').trimEnd(),
    domainname: readFile('/proc/sys/kernel/domainname').trimEnd(),
  }))
}

/** @param file that stands for the namespace @throws SyscallError */
export function writeUtsNames(file: string, { hostname, domainname }: UtsNames): void {
  withinNamespace('uts', file, () => {
    for (const [call, name] of [
      ['sethostname', hostname],
      ['setdomainname', domainname],
    ] as const) {
      const bytes = encodeName(name)
      syscall(call, bytes, bytes.length)
    }
  })
}
