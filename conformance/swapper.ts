// Swap pairs of names without a pause until killed: bun conformance/swapper.ts FOLDER NAME OTHER [FOLDER NAME OTHER …]
// The folders are opened first, so that no swap leads this process astray. Each pair gets a burst of swaps with pauses of some
// microseconds, as long as there are between two calls of a create; without any, nobody would get a path resolved.

import { AT, O } from '../src/linux/open-flags.ts'
import { open } from '../src/native/file.ts'
import { trySyscall } from '../src/native/syscall.ts'

const RENAME_EXCHANGE = 2
/** Even: between its bursts each pair is as it was, so that one obstacle at a time is in the way. */
const BURST = 30
const LONGEST_PAUSE = 0.08 // milliseconds

const words = process.argv.slice(2)
const pairs: { readonly folder: number; readonly name: string; readonly other: string }[] = []
for (let at = 0; at < words.length; at += 3) {
  const [folder = '', name = '', other = ''] = words.slice(at, at + 3)
  pairs.push({ folder: open(folder, O.PATH | O.DIRECTORY, 0, AT.FDCWD), name, other })
}
process.stdout.write('ready\n')
for (;;) {
  for (const { folder, name, other } of pairs) {
    for (let swap = 0; swap < BURST; swap++) {
      trySyscall('renameat2', folder, name, folder, other, RENAME_EXCHANGE)
      const until = performance.now() + Math.random() * LONGEST_PAUSE
      while (performance.now() < until);
    }
  }
}
