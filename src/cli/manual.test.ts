import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERROR_CODES } from '../error-codes.ts'
import { COMMANDS } from './commands.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { manualPages } from './manual.ts'
import { filePage } from './manual-file.ts'

const EDITION = { version: '1.2.3', date: '2026-02-03' }
const pages = new Map(await manualPages(COMMANDS, EDITION))
/** A text as it stands in a page. */
const roff = (text: string) => text.replaceAll('-', '\\-')

test('runt has a page, and each command has one', () => {
  assert.equal(
    [...pages.keys()].filter((name) => name.endsWith('.8')).sort(),
    ['runt.8', ...Object.keys(COMMANDS).map((name) => `runt-${name}.8`)].sort(),
  )
})

test('the page of runt has every command, global flag and code of an error', () => {
  const page = pages.get('runt.8') ?? ''
  const words = [...Object.keys(COMMANDS), ...GLOBAL_FLAGS.map(({ name }) => `--${name}`), ...Object.keys(ERROR_CODES)]
  for (const word of words) assert.ok(page.includes(roff(word)), word)
})

for (const [name, load] of Object.entries(COMMANDS)) {
  test(`the page of ${name} has its summary and flags`, async () => {
    const { summary, flags, examples } = await load()
    const page = pages.get(`runt-${name}.8`) ?? ''
    for (const text of [
      summary,
      ...flags.map((flag) => `--${flag.name}`),
      ...flags.map(({ help }) => help),
      ...examples.flat(),
    ]) {
      assert.ok(page.includes(roff(text)), text)
    }
  })
}

test('a page has its date', () => {
  for (const [name, text] of pages) assert.match(text, '"2026-02-03" "runt 1.2.3"', name)
})

const DOCUMENTS = ['landlock', 'exit-record']
for (const name of DOCUMENTS) {
  const markdown = readFileSync(new URL(`../config/${name}.md`, import.meta.url), 'utf8')
  pages.set(`runt-${name}.5`, filePage(`runt-${name}`, 'a document', markdown, EDITION))

  test(`the page of the document ${name} has all of its words, and nothing of Markdown`, () => {
    const text = (pages.get(`runt-${name}.5`) ?? '').replace(/\\f[BIR]|\\&/g, '').replaceAll('\\-', '-')
    const told = markdown.replace(/^\|.*\n(?=\| ---)/gm, '') // without the heads of tables
    for (const word of told.match(/[A-Za-z_]{5,}/g) ?? []) assert.ok(text.includes(word) || /md$/.test(word), word)
    assert.not.match(text, /^\||`/m)
  })
}

if (spawnSync('mandoc', ['-Tlint', '/dev/null']).error === undefined) {
  test('mandoc finds no error in any page', () => {
    for (const [name, text] of pages) {
      const { stdout } = spawnSync('mandoc', ['-Tlint', '-Werror'], { input: text, encoding: 'utf8' })
      assert.is(stdout, '', name)
    }
  })
  test('a flag and a text with what roff takes for its own are shown as they are', () => {
    const { stdout } = spawnSync('mandoc', ['-Tascii'], { input: pages.get('runt-create.8'), encoding: 'utf8' })
    // Bold is a letter, a backspace and the letter again.
    const plain = stdout.split('\b').map((part, index, all) => (index < all.length - 1 ? part.slice(0, -1) : part))
    assert.match(plain.join(''), /--bundle, -b DIR\n +the folder with config\.json \(\.\)/)
  })
} else console.log('skipped: mandoc: not installed')

test.run()
