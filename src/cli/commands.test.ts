import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { RuntError } from '../errors.ts'
import { COMMANDS, loadCommand } from './commands.ts'

test('each command is loaded by its name', async () => {
  for (const name of Object.keys(COMMANDS)) assert.is((await loadCommand(name)).name, name)
})

for (const [word, hint] of [
  ['strat', 'did you mean start?'],
  ['remove', 'runt help lists the commands'],
  ['toString', 'runt help lists the commands'],
] as const) {
  test(`unknown command ${word}: ${hint}`, () => {
    assert.throws(
      () => loadCommand(word),
      (error: unknown) => error instanceof RuntError && error.code === 'usage' && error.hint === hint,
    )
  })
}

test.run()
