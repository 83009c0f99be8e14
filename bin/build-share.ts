// The list of commands → manual pages and completions, as they stand below PREFIX/share: bun bin/build-share.ts FOLDER.
// Run by `make`.

import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { COMMANDS } from '../src/cli/commands.ts'
import { bashScript } from '../src/cli/completion/bash.ts'
import { fishScript } from '../src/cli/completion/fish.ts'
import { grammarOf } from '../src/cli/completion/grammar.ts'
import { zshScript } from '../src/cli/completion/zsh.ts'
import { manualPages } from '../src/cli/manual.ts'
import { BUILD } from '../src/cli/version.ts'

const [folder] = process.argv.slice(2)
if (folder === undefined) throw new Error('usage: build-share.ts FOLDER')

function write(name: string, text: string): void {
  const path = `${folder}/${name}`
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, text)
}

for (const [name, text] of await manualPages(COMMANDS, BUILD.version)) write(`man/man8/${name}`, text)
const grammar = await grammarOf(COMMANDS)
write('bash-completion/completions/runt', bashScript(grammar))
write('zsh/site-functions/_runt', zshScript(grammar))
write('fish/vendor_completions.d/runt.fish', fishScript(grammar))
