// The scripts in their shells, with a runt that knows two containers. A shell that isn't installed is left out.

import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { COMMANDS } from '../commands.ts'
import { bashScript } from './bash.ts'
import { fishScript } from './fish.ts'
import { grammarOf } from './grammar.ts'
import { zshScript } from './zsh.ts'

const grammar = await grammarOf(COMMANDS)
const folder = mkdtempSync(`${tmpdir()}/runt-completion-`)
mkdirSync(`${folder}/bin`)
mkdirSync(`${folder}/bundle`)
writeFileSync(`${folder}/file`, '')
// Containers by root: who asks without one is told of web and db.
writeFileSync(
  `${folder}/bin/runt`,
  '#!/bin/sh\ncase $* in "list --quiet") echo web; echo db;; "--root /r list --quiet") echo other;; esac\n',
)
chmodSync(`${folder}/bin/runt`, 0o755)
writeFileSync(`${folder}/runt.bash`, bashScript(grammar))
writeFileSync(`${folder}/_runt`, zshScript(grammar))
writeFileSync(`${folder}/runt.fish`, fishScript(grammar))

const env = { ...process.env, PATH: `${folder}/bin:${process.env.PATH}`, HOME: folder, XDG_CONFIG_HOME: folder }
const run = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { cwd: folder, encoding: 'utf8', env, timeout: 20_000 })
const shells = ['bash', 'zsh', 'fish'] as const
type Shell = (typeof shells)[number]
const installed = new Set(shells.filter((shell) => run(shell, ['-c', 'true']).status === 0))
const inShell = (shell: Shell, title: string, body: () => void): void => {
  if (installed.has(shell)) test(`${shell}: ${title}`, body)
  else console.log(`skipped: ${shell}: ${title}: no ${shell} here`)
}

/** Line up to the cursor → what may stand there. bash breaks words at "=" too. */
const LINES: readonly (readonly [line: string, expected: readonly string[]])[] = [
  ['runt cre', ['create']],
  ['runt --root /r sta', ['start', 'state']],
  ['runt --log-format ', ['json', 'text']],
  ['runt state ', ['db', 'web']],
  ['runt --root /r state ', ['other']],
  ['runt --root=/r state ', ['other']],
  ['runt kill w', ['web']],
  ['runt kill web KI', ['KILL']],
  ['runt list --format ', ['json', 'table']],
  ['runt delete --fo', ['--force']],
  ['runt create ', []],
  ['runt create --bundle bun', ['bundle']],
  ['runt completion ', ['bash', 'fish', 'zsh']],
  ['runt help pau', ['pause']],
]

function completeInBash(line: string): string[] {
  const words = line.split(/ |(=)/).filter((word) => word !== undefined)
  const script = `source runt.bash; COMP_WORDS=(${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length - 1}
_runt; printf '%s\\n' "\${COMPREPLY[@]}"`
  return run('bash', ['-c', script]).stdout.split('\n').filter(Boolean).sort()
}

function completeInFish(line: string): string[] {
  const { stdout } = run('fish', ['-c', `source runt.fish; complete -C ${JSON.stringify(line)}`])
  const found = stdout.split('\n').map((each) => each.split('\t')[0]?.replace(/\/$/, '') ?? '')
  return found.filter(Boolean).sort()
}

for (const [line, expected] of LINES) {
  inShell('bash', line, () => assert.equal(completeInBash(line), expected))
  inShell('fish', line, () => assert.equal(completeInFish(line), expected))
}

inShell('bash', 'a value behind "="', () => {
  assert.equal(completeInBash('runt list --format=js'), ['json'])
})

inShell('zsh', 'the script is read, and holds for runt', () => {
  const { stdout, stderr } = run('zsh', [
    '-fc',
    'autoload -Uz compinit; compinit -D -u; source ./_runt; echo $_comps[runt]',
  ])
  assert.equal([stdout.trim(), stderr], ['_runt', ''])
})

test('every command and flag is in every script', () => {
  for (const script of [bashScript(grammar), zshScript(grammar), fishScript(grammar)]) {
    for (const { name, flags } of grammar.commands) {
      assert.ok(script.includes(name), name)
      for (const flag of flags) assert.ok(script.includes(flag.name), `${name} --${flag.name}`)
    }
  }
})

test.after(() => rmSync(folder, { recursive: true }))
test.run()
