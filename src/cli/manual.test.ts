import { spawnSync } from 'node:child_process'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { ERROR_CODES } from '../error-codes.ts'
import { COMMANDS } from './commands.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { manualPages } from './manual.ts'

const pages = await manualPages(COMMANDS, '1.2.3')
/** A text as it stands in a page. */
const roff = (text: string) => text.replaceAll('-', '\\-')

test('runt has a page, and each command has one', () => {
  assert.equal([...pages.keys()].sort(), ['runt.8', ...Object.keys(COMMANDS).map((name) => `runt-${name}.8`)].sort())
})

test('the page of runt has every command, global flag and code of an error', () => {
  const page = pages.get('runt.8') ?? ''
  const words = [...Object.keys(COMMANDS), ...GLOBAL_FLAGS.map(({ name }) => `--${name}`), ...Object.keys(ERROR_CODES)]
  for (const word of words) assert.ok(page.includes(roff(word)), word)
})

for (const [name, load] of Object.entries(COMMANDS)) {
  test(`the page of ${name} has its summary and flags`, async () => {
    const { summary, flags } = await load()
    const page = pages.get(`runt-${name}.8`) ?? ''
    for (const text of [summary, ...flags.map((flag) => `--${flag.name}`), ...flags.map(({ help }) => help)]) {
      assert.ok(page.includes(roff(text)), text)
    }
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
