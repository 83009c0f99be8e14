// linux.seccomp → what is loaded for it. A profile that has been compiled here before is found in a cache (cache.ts), and then
// neither libseccomp nor what drives it is loaded.

import type { Seccomp } from '../config/types.ts'
import { propertyError } from '../errors.ts'
import { ERRNO } from '../linux/errno.ts'
import { SECCOMP_FLAG, SECCOMP_SET_MODE_FILTER } from '../linux/seccomp-abi.ts'
import { warn } from '../log.ts'
import { trySyscall } from '../native/syscall.ts'
import { findFilter, keepFilter } from './cache.ts'
import { kernelFlags } from './flags.ts'

export interface SeccompFilter {
  /** An array of struct sock_filter. */
  readonly program: Uint8Array
  /** Of seccomp(2). */
  readonly flags: number
  /** The libseccomp that compiled it. */
  readonly library: string
}

/**
 * @param folder of the cache; it is made when it isn't there. undefined: without one
 * @throws RuntError when there is no libseccomp, or it or the kernel can't give what the profile asks for
 */
export async function seccompFilter(seccomp: Seccomp, folder: string | undefined): Promise<SeccompFilter> {
  const flags = kernelFlags(seccomp)
  requireFlags(flags)
  const key = `${process.arch} ${profileText(seccomp)}`
  const found = folder === undefined ? undefined : findFilter(folder, key)
  if (found !== undefined) return { ...found, flags }
  const { Libseccomp } = await import('../native/libseccomp.ts')
  const { compileProfile } = await import('./compile.ts')
  const library = new Libseccomp()
  const program = compileProfile(seccomp, library, process.arch === 'arm64' ? 'arm64' : 'x64')
  try {
    if (folder !== undefined) keepFilter(folder, key, { program, library: library.path })
  } catch (error) {
    // It is to be had without.
    warn(`linux.seccomp: the compiled filter can't be kept: ${error instanceof Error ? error.message : error}`)
  }
  return { program, flags, library: library.path }
}

/** The profile as one text, numbers of 64 bits too: those JSON has no words for, and a replacer would be asked for every name. */
function profileText(seccomp: Seccomp): string {
  try {
    return JSON.stringify(seccomp)
  } catch {
    return JSON.stringify(seccomp, (_, value: unknown) => (typeof value === 'bigint' ? `${value}n` : value))
  }
}

/** Of the flags only this one is younger than the kernels that runt needs: without a filter the kernel says what it knows. */
function requireFlags(flags: number): void {
  if ((flags & SECCOMP_FLAG.WAIT_KILLABLE_RECV) === 0) return
  if (trySyscall('seccomp', SECCOMP_SET_MODE_FILTER, flags, 0) !== -ERRNO.EINVAL) return
  throw propertyError(
    'host',
    '/linux/seccomp/flags',
    'this kernel does not know SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV',
    {
      hint: 'it came with Linux 5.19',
    },
  )
}
