// argv → command → exit status. The only place that prints an error, and the only process.exit.

import { logFields, RuntError } from '../errors.ts'
import { isRootless, openStore } from '../lifecycle/state-root.ts'
import { configureLog, LOG_LEVELS, logError } from '../log.ts'
import { callerWords } from '../native/caller.ts'
import { type Flag, oneOf, type Parsed, parseArgs } from './args.ts'
import type { Command, Globals } from './command.ts'
import { COMMANDS, loadCommand } from './commands.ts'
import { GLOBAL_FLAGS } from './global-flags.ts'
import { print, Unread } from './output.ts'
import { absolute } from './path.ts'

const ERROR_STATUS = 1
/** What a shell says of a program that SIGPIPE has ended. */
const UNREAD_STATUS = 128 + 13

async function main(words: readonly string[]): Promise<number> {
  const { operands, ...globals } = splitGlobals(words)
  if (globals.flags.boolean('version')) {
    print((await import('./version.ts')).versionText())
    return 0
  }
  const [name, ...rest] = operands
  if (globals.flags.boolean('help') || name === undefined || name === 'help') {
    const help = await import('./help.ts')
    print(await help.helpText(name === 'help' ? rest[0] : name))
    return name === undefined && !globals.flags.boolean('help') ? ERROR_STATUS : 0
  }
  configureLog({
    place: globals.flags.string('log'),
    format: oneOf(globals.flags, 'log-format', ['text', 'json']),
    level: globals.flags.boolean('debug') ? 'debug' : oneOf(globals.flags, 'log-level', LOG_LEVELS),
  })
  return runCommand(name, rest, readGlobals(globals.flags))
}

async function runCommand(name: string, words: readonly string[], globals: Globals): Promise<number> {
  const command = await loadCommand(name)
  try {
    return await runParsed(command, words, globals)
  } catch (error) {
    const status = report(error)
    return status === ERROR_STATUS ? (command.errorStatus ?? status) : status
  }
}

async function runParsed(command: Command, words: readonly string[], globals: Globals): Promise<number> {
  const { name } = command
  const args = parseArgs(words, [...command.flags, HELP_FLAG], { stopEarly: command.stopEarly ?? false })
  if (args.boolean('help')) {
    print(await (await import('./help.ts')).helpText(name))
    return 0
  }
  const [least, most] = command.arity
  const count = args.operands.length
  if (count < least || count > most) {
    throw new RuntError(
      'usage',
      `runt ${name}: ${count < least ? 'missing operand' : `too many operands: ${args.operands.slice(most).join(' ')}`}`,
      {
        hint: `usage: runt ${name} [flags] ${command.operands}`,
      },
    )
  }
  return command.run(args, globals)
}

const HELP_FLAG: Flag = { name: 'help', short: 'h', kind: 'boolean', help: 'show help' }

/** The flags before the command are the global ones. */
function splitGlobals(words: readonly string[]): { flags: Parsed; operands: readonly string[] } {
  const flags = parseArgs(words, GLOBAL_FLAGS, { stopEarly: true })
  return { flags, operands: flags.operands }
}

function readGlobals(flags: Parsed): Globals {
  const root = flags.string('root')
  const rootless = oneOf(flags, 'rootless', ['auto', 'true', 'false'])
  const manager = oneOf(flags, 'cgroup-manager', ['cgroupfs', 'systemd', 'disabled'])
  const systemdCgroup = flags.boolean('systemd-cgroup')
  if (systemdCgroup && manager === 'disabled') {
    throw new RuntError('usage', '--systemd-cgroup and --cgroup-manager disabled contradict each other')
  }
  return {
    store: openStore(root === undefined ? undefined : absolute(root)),
    systemdCgroup: systemdCgroup || manager === 'systemd',
    noCgroups: manager === 'disabled',
    rootless: rootless === 'true' || (rootless === 'auto' && isRootless()),
    debug: flags.boolean('debug'),
    supervised: flags.boolean('supervised'),
    commands: COMMANDS,
  }
}

/** @returns the exit status for an error */
function report(error: unknown): number {
  if (error instanceof Unread) return UNREAD_STATUS
  if (error instanceof RuntError) {
    const hint = error.hint === undefined ? '' : `\n  ${error.hint}`
    logError(`${error.message}${hint}`, logFields(error))
    return ERROR_STATUS
  }
  logError(error instanceof Error ? error.message : `${error}`, logFields(error))
  return ERROR_STATUS
}

process.exit(await main(callerWords()).catch(report))
