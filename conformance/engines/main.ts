// Real engines on a runtime of choice: bun conformance/engines/main.ts --runtime PATH [--short] [--slow] [--json] [-- WORD …]
//
// --short takes what `make test` does, --slow tells times, --json prints outcomes for a program instead of TAP.
// Outside it makes the world and starts itself once more in there; inside it runs the cases.

import { chmodSync, existsSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { findCriu, unableToCheckpoint } from '../checkpoint.ts'
import { countOf, type Outcome, summary, TAP_HEADER, tapLine } from '../outcome.ts'
import { findRuntime, type Runtime } from '../runtime.ts'
import { makeImages } from './image.ts'
import { missingForEngines } from './missing.ts'
import { chooseCases, runCases } from './suite.ts'
import { enterWorld } from './world.ts'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    runtime: { type: 'string', default: 'dist/runt' },
    short: { type: 'boolean', default: false },
    slow: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    inside: { type: 'boolean', default: false },
    criu: { type: 'string' },
    'without-criu': { type: 'string' },
  },
})

process.exitCode = options.inside ? await inside() : await outside()

async function outside(): Promise<number> {
  const missing = missingForEngines()
  if (missing !== undefined) {
    console.log(options.json ? '[]' : `1..0 # SKIP ${missing}`)
    return 0
  }
  const flags = [
    '--runtime',
    options.runtime,
    ...(options.short ? ['--short'] : []),
    ...(options.slow ? ['--slow'] : []),
    ...(options.json ? ['--json'] : []),
    ...criuFlags(),
  ]
  const again = [process.execPath, fileURLToPath(import.meta.url), '--inside', ...flags, '--', ...positionals]
  return enterWorld(again, (text) => process.stdout.write(text))
}

/** Where a criu is, or why none is there: it may have to be fetched, and inside there is no network. */
function criuFlags(): string[] {
  if (!chooseCases(positionals, options.short).some(({ criu }) => criu)) return []
  const found = findCriu()
  return 'folder' in found ? ['--criu', found.folder] : ['--without-criu', found.reason]
}

/** The last word is the world's folder. */
async function inside(): Promise<number> {
  const folder = positionals.pop() ?? ''
  if (options.criu !== undefined) process.env.PATH = `${options.criu}:${process.env.PATH}`
  const runtime = findRuntime(options.runtime)
  process.chdir(folder) // engines leave files where they are started: conmon an empty one called oom
  const chosen = chooseCases(positionals, options.short)
  const outcomes: Outcome[] = []
  const started = performance.now()
  if (!options.json) console.log(`${TAP_HEADER}\n1..${chosen.length}`)
  const world = {
    folder,
    archive: makeImages(folder),
    runtime: { name: runtime.name, path: asOneFile(runtime, folder) },
    withoutCriu: unableToCheckpoint(runtime.name) ?? options['without-criu'],
  }
  await runCases(chosen, world, (outcome) => {
    outcomes.push(outcome)
    if (options.json) return
    const time = options.slow ? ` (${outcome.milliseconds.toFixed(0)} ms)` : ''
    console.log(tapLine({ ...outcome, name: `${outcome.name}${time}` }, outcomes.length))
  })
  if (options.json) console.log(JSON.stringify(outcomes))
  else console.log(summary(runtime.version, outcomes, performance.now() - started))
  return countOf(outcomes, 'fail') > 0 || outcomes.length === 0 ? 1 : 0
}

/** Engines want a path to execute, so a runtime with flags becomes a script. */
function asOneFile({ command, name }: Runtime, folder: string): string {
  const [program = ''] = command
  if (command.length === 1 && existsSync(program)) return program
  const script = `${folder}/${name}`
  writeFileSync(script, `#!/bin/sh\nexec ${command.map((word) => `'${word}'`).join(' ')} "$@"\n`)
  chmodSync(script, 0o755)
  return script
}
