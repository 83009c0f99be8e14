// Swap pairs of names without a pause until killed: bun conformance/swapper.ts FOLDER NAME OTHER [FOLDER NAME OTHER …]

import { AT } from '../src/linux/open-flags.ts'
import { trySyscall } from '../src/native/syscall.ts'

const RENAME_EXCHANGE = 2
const words = process.argv.slice(2)

for (let at = 0; ; at = (at + 3) % words.length) {
  const [folder, name, other] = words.slice(at, at + 3)
  trySyscall('renameat2', AT.FDCWD, `${folder}/${name}`, AT.FDCWD, `${folder}/${other}`, RENAME_EXCHANGE)
}
