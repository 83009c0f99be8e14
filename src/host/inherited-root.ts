// A container without a mount namespace of its own has its root mounted in ours. When it can't be made, that goes again.

import { MNT_DETACH } from '../linux/mount-flags.ts'
import { mountIdOf } from '../native/file.ts'
import { trySyscall } from '../native/syscall.ts'

/** What is mounted where a root will be. */
export class InheritedRoot {
  readonly #path: string
  readonly #before: bigint | undefined

  constructor(path: string) {
    this.#path = path
    this.#before = mountIdOf(path)
  }

  /** Unmount what has been mounted there since, with all that is in it; nothing else. */
  restore(): void {
    const now = mountIdOf(this.#path)
    if (now !== undefined && now !== this.#before) trySyscall('umount2', this.#path, MNT_DETACH)
  }
}
