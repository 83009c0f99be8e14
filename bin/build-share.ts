// The list of commands → manual pages and completions, as they stand below PREFIX/share: bun bin/build-share.ts FOLDER YYYY-MM-DD.
// Run by `make`.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { COMMANDS } from '../src/cli/commands.ts'
import { bashScript } from '../src/cli/completion/bash.ts'
import { fishScript } from '../src/cli/completion/fish.ts'
import { grammarOf } from '../src/cli/completion/grammar.ts'
import { zshScript } from '../src/cli/completion/zsh.ts'
import { manualPages } from '../src/cli/manual.ts'
import { filePage } from '../src/cli/manual-file.ts'
import { BUILD } from '../src/cli/version.ts'

const [folder, date] = process.argv.slice(2)
if (folder === undefined || date === undefined) throw new Error('usage: build-share.ts FOLDER YYYY-MM-DD')

/** Documents in src/config/ that are manual pages as well. */
const DOCUMENTS = [
  ['landlock', 'rules of Landlock for a container'],
  ['exit-record', 'how a container ended'],
] as const

function write(name: string, text: string): void {
  const path = `${folder}/${name}`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

const edition = { version: BUILD.version, date }
for (const [name, text] of await manualPages(COMMANDS, edition)) write(`man/man8/${name}`, text)
for (const [name, summary] of DOCUMENTS) {
  const markdown = readFileSync(new URL(`../src/config/${name}.md`, import.meta.url), 'utf8')
  write(`man/man5/runt-${name}.5`, filePage(`runt-${name}`, summary, markdown, edition))
}
const grammar = await grammarOf(COMMANDS)
write('bash-completion/completions/runt', bashScript(grammar))
write('zsh/site-functions/_runt', zshScript(grammar))
write('fish/vendor_completions.d/runt.fish', fishScript(grammar))
