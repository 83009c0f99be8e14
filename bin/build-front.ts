// Write the front: bun bin/build-front.ts FILE FOLDER-OF-THE-ENGINE [x64|arm64]

import { chmodSync, renameSync, writeFileSync } from 'node:fs'
import { lowerFront } from '../src/front/front.ts'
import { compile } from '../src/machine/codegen.ts'
import { targetFor } from '../src/machine/target.ts'

const [file = 'dist/runt', place = '/usr/local/lib/runt', arch = process.arch] = process.argv.slice(2)
const plan = lowerFront(place)
const image = compile(plan, targetFor(arch === 'arm64' ? 'arm64' : 'x64'))
writeFileSync(`${file}.new`, image.bytes)
chmodSync(`${file}.new`, 0o755)
renameSync(`${file}.new`, file)
console.log(`${file}: ${plan.steps.length} steps, ${image.bytes.length} bytes`)
