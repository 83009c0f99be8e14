// System calls that are newer than a profile don't exist to its programs: ENOSYS, as on an older kernel. With EPERM a libc
// would not try the older call that it knows. The newest call that a profile names says how old it is.

import { assembleClassic, type ClassicInstruction, ja, jeq, jge, jgt, ldAbs, ret } from '../bpf/classic.ts'
import { type Label, label } from '../bpf/labels.ts'
import { ERRNO } from '../linux/errno.ts'
import { AUDIT_ARCH, SECCOMP_DATA, SECCOMP_RET, X32_SYSCALL_BIT } from '../linux/seccomp-abi.ts'
import { X32 } from './names.ts'

const FILTER = 'filter'
const NEWER = 'newer'

/**
 * The program that stands before a filter, which follows where it ends.
 * @param newest the highest number that the profile names, by architecture; those that it names no call of are left out
 */
export function enosysProgram(newest: ReadonlyMap<number, number>): Uint8Array {
  const own = [...newest].filter(([machine]) => machine !== X32)
  if (newest.size === 0) return new Uint8Array(0)
  const x32 = newest.get(X32)
  if (x32 !== undefined && !newest.has(AUDIT_ARCH.X86_64)) own.push([AUDIT_ARCH.X86_64, X32_SYSCALL_BIT - 1])
  return assembleClassic([
    ldAbs(SECCOMP_DATA.arch),
    ...own.map(([machine]) => jeq(machine, `${machine}`)),
    ja(FILTER),
    ...own.flatMap(([machine, last]) => section(machine, last, machine === AUDIT_ARCH.X86_64 ? x32 : undefined)),
    label(NEWER),
    ret(SECCOMP_RET.ERRNO | ERRNO.ENOSYS),
    label(FILTER),
  ])
}

/** x32 shares its AUDIT_ARCH with x86-64, and has numbers of its own. */
function section(machine: number, last: number, x32: number | undefined): (ClassicInstruction | Label)[] {
  const start = [label(`${machine}`), ldAbs(SECCOMP_DATA.nr)]
  const end = [jgt(last, NEWER), ja(FILTER)]
  if (x32 === undefined) return [...start, ...end]
  return [...start, jge(X32_SYSCALL_BIT, 'x32'), ...end, label('x32'), jgt(x32, NEWER), ja(FILTER)]
}
