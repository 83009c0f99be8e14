// Runs somebody else's validation programs: executables that print TAP and take the runtime from the environment variable
// RUNTIME, as those of the OCI runtime-tools do.
//
//   bun conformance/external.ts --runtime PATH [--seconds N] FOLDER [WORD …]
//
// Each runs in an empty folder of its own, for so long at most; WORDs select programs by a part of their names. What a program
// says of itself counts: a failed assertion, a plan that isn't kept, an exit status, and silence are failures. TODO isn't.

import { spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readTap, type Summary } from './tap.ts'

/** For the last words of a program that has ended. */
const GRACE_MS = 50

/** Run one program to its end, or until its time is up: then its whole process group is killed. */
async function runProgram(path: string, runtime: string, seconds: number): Promise<Summary> {
  const folder = mkdtempSync(`${tmpdir()}/runt-external-`)
  try {
    const child = spawn(path, [], {
      cwd: folder,
      detached: true, // a group of its own
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, RUNTIME: runtime },
    })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.resume()
    let late = false
    const timer = setTimeout(() => {
      late = true
      killGroup(child.pid)
    }, seconds * 1000)
    const ending = await new Promise<string | undefined>((settle) => {
      child.on('error', (error) => settle(error.message))
      // Not 'close': what a program leaves behind may hold its output open for ever.
      child.on('exit', (code, signal) => {
        setTimeout(() => settle(code === 0 ? undefined : `ended with ${signal ?? `exit status ${code}`}`), GRACE_MS)
      })
    })
    clearTimeout(timer)
    killGroup(child.pid)
    return readTap(output, late ? `took longer than ${seconds} s` : ending)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // all of it has ended
  }
}

/** The executables in a folder, in order of the alphabet. */
function programsIn(folder: string, words: readonly string[]): string[] {
  return readdirSync(folder)
    .filter((name) => words.length === 0 || words.some((word) => name.includes(word)))
    .map((name) => `${resolve(folder)}/${name}`)
    .filter((path) => statSync(path).isFile() && isExecutable(path))
    .sort()
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { runtime: { type: 'string', default: 'dist/runt' }, seconds: { type: 'string', default: '60' } },
  })
  const [folder, ...words] = positionals
  const seconds = Number(values.seconds)
  if (folder === undefined || !(seconds > 0)) {
    console.error('usage: external.ts --runtime PATH [--seconds N] FOLDER [WORD …]')
    return 2
  }
  const totals = { passed: 0, failed: 0, skipped: 0 }
  const programs = programsIn(folder, words)
  for (const path of programs) {
    const { passed, failed, skipped, complaints } = await runProgram(path, resolve(values.runtime), seconds)
    totals.passed += passed
    totals.failed += failed
    totals.skipped += skipped
    const name = path.slice(path.lastIndexOf('/') + 1)
    console.log(`${failed > 0 ? 'FAILED' : 'ok'}  ${name}: ${passed} passed, ${failed} failed, ${skipped} skipped`)
    for (const complaint of complaints) console.log(`    ${complaint}`)
  }
  console.log(
    `${programs.length} programs: ${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped`,
  )
  return totals.failed > 0 || programs.length === 0 ? 1 : 0
}

process.exitCode = await main()
