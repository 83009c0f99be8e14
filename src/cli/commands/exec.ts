import { RuntError } from '../../errors.ts'
import { execProcess } from '../../lifecycle/exec.ts'
import type { ExecRequest } from '../../lifecycle/exec-process.ts'
import type { Flag, Parsed } from '../args.ts'
import type { Command } from '../command.ts'
import { MOST_FDS } from './launch-flags.ts'
import { printProfile, startProfile } from './profile.ts'

/** What a file of --process says itself. */
const PROCESS_FLAGS: readonly Flag[] = [
  { name: 'tty', short: 't', kind: 'boolean', help: 'give it a terminal' },
  { name: 'user', short: 'u', kind: 'string', value: 'UID[:GID]', help: 'who it runs as' },
  { name: 'additional-gids', short: 'g', kind: 'string', value: 'GID', help: 'a further group; may be repeated' },
  { name: 'cwd', kind: 'string', value: 'DIR', help: 'its working folder, absolute' },
  { name: 'env', short: 'e', kind: 'string', value: 'NAME=VALUE', help: 'a further variable; may be repeated' },
  { name: 'cap', short: 'c', kind: 'string', value: 'CAP_NAME', help: 'a further capability; may be repeated' },
  { name: 'no-new-privs', kind: 'boolean', help: 'it can not gain privileges by execve' },
  { name: 'apparmor', kind: 'string', value: 'PROFILE', help: 'its AppArmor profile' },
  { name: 'process-label', kind: 'string', value: 'LABEL', help: 'its SELinux label' },
]

/** As runc's: what could not be run is told by the words, so that no status of a command is taken for it. */
const FAILED = 255

export const exec: Command = {
  name: 'exec',
  operands: 'ID [COMMAND [ARGUMENT...]]',
  summary: 'run one more process in a container',
  details: [
    "What no flag says is as the container's own process has it: environment, working folder, user, capabilities, limits. That was settled when it was created; config.json may have changed since.",
    'The exit status is that of the command, or 128 and the number of the signal that ended it. 255: the command could not be run.',
    'In the foreground, signals that runt gets are passed on to the process. In a paused container it can only start once that is resumed.',
  ],
  flags: [
    { name: 'process', short: 'p', kind: 'string', value: 'FILE', help: 'a process object (JSON) that says all of it' },
    ...PROCESS_FLAGS,
    { name: 'detach', short: 'd', kind: 'boolean', help: "don't wait for its end" },
    { name: 'pid-file', kind: 'string', value: 'FILE', help: 'write its pid to FILE' },
    { name: 'console-socket', kind: 'string', value: 'PATH', help: "Unix socket that gets the terminal's master" },
    { name: 'pidfd-socket', kind: 'string', value: 'PATH', help: 'Unix socket that gets its pidfd' },
    { name: 'preserve-fds', kind: 'string', value: 'N', help: 'pass N descriptors from 3 on to it (0)' },
    {
      name: 'cgroup',
      kind: 'string',
      value: '[CONTROLLER:]PATH',
      help: "a cgroup below the container's; may be repeated for controllers of v1",
    },
    { name: 'ignore-paused', kind: 'boolean', help: 'also in a paused container: it runs once that is resumed' },
    { name: 'profile', kind: 'boolean', help: 'print where the time goes' },
  ],
  examples: [
    ['runt exec --tty mine sh', 'a shell in the container'],
    ['runt exec --user 1000:1000 --cwd /tmp --env A=b mine env', 'a program of another user'],
    ['runt exec --process process.json --detach mine', 'what a file says, in the background'],
  ],
  arity: [1, Number.POSITIVE_INFINITY],
  stopEarly: true,
  errorStatus: FAILED,
  async run(args, globals) {
    const profile = await startProfile(args.boolean('profile'))
    const options = {
      id: args.operands[0] ?? '',
      request: requestOf(args),
      detach: args.boolean('detach'),
      pidFile: args.string('pid-file'),
      consoleSocket: args.string('console-socket'),
      pidfdSocket: args.string('pidfd-socket'),
      preserveFds: args.number('preserve-fds', 0, MOST_FDS) ?? 0,
      subCgroups: args.strings('cgroup'),
      ignorePaused: args.boolean('ignore-paused'),
      profile: args.boolean('profile'),
      supervised: globals.supervised,
    }
    const status = await execProcess(globals.store, options, profile)
    printProfile(profile)
    return status
  },
}

/** @throws RuntError for what contradicts */
function requestOf(args: Parsed): ExecRequest {
  const [, ...words] = args.operands
  const processFile = args.string('process')
  if (processFile === undefined) {
    if (words.length === 0) throw new RuntError('usage', 'runt exec: missing operand: the command, or --process FILE')
  } else checkAlone(args, words)
  return {
    processFile,
    args: words,
    terminal: args.boolean('tty'),
    user: args.string('user'),
    additionalGids: args.strings('additional-gids'),
    cwd: args.string('cwd'),
    env: args.strings('env'),
    capabilities: args.strings('cap'),
    noNewPrivileges: args.boolean('no-new-privs'),
    // Engines pass an empty one for "none of its own".
    apparmorProfile: args.string('apparmor') || undefined,
    selinuxLabel: args.string('process-label') || undefined,
  }
}

/** Two answers to one question: neither is taken for the other. */
function checkAlone(args: Parsed, words: readonly string[]): void {
  const [word] = words
  if (word !== undefined)
    throw new RuntError('usage', `--process says what to run: ${JSON.stringify(word)} contradicts it`)
  for (const { name, kind } of PROCESS_FLAGS) {
    if (name === 'tty') continue // engines give both, and they agree
    if (kind === 'boolean' ? args.boolean(name) : args.strings(name).length > 0) {
      throw new RuntError('usage', `--process says all of the process: --${name} contradicts it`)
    }
  }
}
