// `make check` is green only if it would be red: seeds one violation per rule into a copy of the sources and expects each
// to be found. (A linter that looks at no file finds nothing, too.)

import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname } from 'node:path'
import { fileURLToPath } from 'node:url'

interface Seed {
  readonly file: string
  readonly source: string
  /** What the tool calls the finding. */
  readonly rule: string
}

const ROOT = fileURLToPath(new URL('..', import.meta.url))
const IMPORTS = 'noRestrictedImports'
const GLOBALS = 'noRestrictedGlobals'

/** Room → a module that it may not import: one for each row of the table in src/README.md. */
const FORBIDDEN_IMPORTS: readonly (readonly [room: string, module: string])[] = [
  ['cli', '../machine/elf.ts'],
  ['cli/commands', '../../native/syscall.ts'],
  ['lifecycle', '../cli/args.ts'],
  ['config', '../lowering/lower.ts'],
  ['config', '../native/memory.ts'],
  ['lowering', '../native/file.ts'],
  ['lowering', '../machine/elf.ts'],
  ['lowering', '../log.ts'],
  ['lowering', 'node:os'],
  ['front', '../lowering/lower.ts'],
  ['front', '../machine/codegen.ts'],
  ['plan', '../lowering/lower.ts'],
  ['machine', '../front/front.ts'],
  ['machine', '../lowering/lower.ts'],
  ['machine/x64', '../../native/file.ts'],
  ['bpf', '../config/types.ts'],
  ['linux', '../plan/step.ts'],
  ['seccomp', '../plan/step.ts'],
  ['seccomp', '../host/probe.ts'],
  ['cgroup', '../machine/elf.ts'],
  ['criu', '../config/types.ts'],
  ['host', '../criu/swrk.ts'],
  ['cgroup/systemd', '../../process/spawn.ts'],
  ['dbus', '../cgroup/cgroup.ts'],
  ['seccomp', '../dbus/bus.ts'],
  ['process', '../lowering/lower.ts'],
  ['native', '../host/probe.ts'],
  ['host', '../config/types.ts'],
  ['lifecycle', 'ffi-rs'],
  ['lifecycle', 'node:fs'],
  ['host', 'node:child_process'],
  ['process', 'bun:ffi'],
]

const BIOME_SEEDS: readonly Seed[] = [
  ...FORBIDDEN_IMPORTS.map(([room, module], index) => ({
    file: `src/${room}/seeded-${index}.ts`,
    source: `export * from '${module}'\n`,
    rule: IMPORTS,
  })),
  {
    file: 'src/lowering/seeded-type.ts',
    source: `import type { Target } from '../machine/target.ts'\n\nexport type Seeded = Target\n`,
    rule: IMPORTS,
  },
  {
    file: 'src/lowering/seeded-late.ts',
    source: `export const late = import('../machine/elf.ts')\n`,
    rule: IMPORTS,
  },
  { file: 'src/plan/seeded-global.ts', source: 'export const arch = process.arch\n', rule: GLOBALS },
  {
    file: 'src/lifecycle/seeded-promise.ts',
    source: `async function seeded(): Promise<void> {}\n\nexport function forget(): void {\n  seeded()\n}\n`,
    rule: 'noFloatingPromises',
  },
  {
    file: 'src/process/seeded-a.ts',
    source: `import { b } from './seeded-b.ts'\n\nexport const a = (): number => b()\n`,
    rule: 'noImportCycles',
  },
  {
    file: 'src/process/seeded-b.ts',
    source: `import { a } from './seeded-a.ts'\n\nexport const b = (): number => a()\n`,
    rule: 'noImportCycles',
  },
]

const TYPE_SEED: Seed = {
  file: 'src/plan/seeded-error.ts',
  source: `export const count: number = 'one'\n`,
  rule: 'TS2322',
}

function main(): number {
  const copy = mkdtempSync(`${tmpdir()}/runt-check-`)
  try {
    for (const name of ['src', 'conformance', 'spec-schemas', 'package.json', 'biome.json', 'tsconfig.json']) {
      cpSync(`${ROOT}/${name}`, `${copy}/${name}`, { recursive: true })
    }
    symlinkSync(`${ROOT}/node_modules`, `${copy}/node_modules`)
    for (const { file, source } of [...BIOME_SEEDS, TYPE_SEED]) {
      mkdirSync(dirname(`${copy}/${file}`), { recursive: true })
      writeFileSync(`${copy}/${file}`, source)
    }
    const missed = [...missedByBiome(copy), ...missedByTsc(copy)]
    for (const { file, rule } of missed) console.error(`not caught: ${rule} in ${file}`)
    console.log(`${BIOME_SEEDS.length + 1 - missed.length} of ${BIOME_SEEDS.length + 1} seeded violations were caught`)
    return missed.length === 0 ? 0 : 1
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function missedByBiome(copy: string): Seed[] {
  const output = runTool(copy, 'biome', 'check', '--reporter=github', '--max-diagnostics=none', '.')
  const findings = output.split('\n').filter((line) => line.startsWith('::'))
  return BIOME_SEEDS.filter(
    ({ file, rule }) => !findings.some((line) => line.includes(`/${file},`) && line.includes(rule)),
  )
}

function missedByTsc(copy: string): Seed[] {
  const output = runTool(copy, 'tsc', '--noEmit', '--pretty', 'false')
  const { file, rule } = TYPE_SEED
  return output.split('\n').some((line) => line.startsWith(file) && line.includes(rule)) ? [] : [TYPE_SEED]
}

function runTool(copy: string, tool: string, ...args: string[]): string {
  const { stdout, error } = spawnSync(`${copy}/node_modules/.bin/${tool}`, args, {
    cwd: copy,
    encoding: 'utf8',
    maxBuffer: 64 << 20,
  })
  if (error !== undefined) throw error
  return stdout
}

process.exitCode = main()
