import { RuntError } from '../../errors.ts'
import { type CheckpointOptions, checkpointContainer } from '../../lifecycle/checkpoint.ts'
import type { Parsed } from '../args.ts'
import type { Command } from '../command.ts'
import { CRIU_FLAGS, criuFlags } from './criu-flags.ts'
import { MOST_FDS } from './launch-flags.ts'

const MOST_PORTS = 65535

export const checkpoint: Command = {
  name: 'checkpoint',
  operands: 'ID',
  summary: 'save the state of a running container in files, and end it',
  details: [
    'CRIU (criu in $PATH, 3.15 or newer) writes the memory, open files and all else of its processes into the folder of the images. runt restore makes the container again from them, here or on another machine, as often as one likes. Unless it is left running, the container is deleted.',
    'What CRIU can not save is an error: the container goes on as it was, and the message quotes the log.',
    'Binds, devices and namespaces given by path are not saved: restore takes those of its own config.json. Of a network namespace of its own only the sockets are kept.',
    'Nobody but root and the caller may write to the folders and to what is in them, and nothing else than files may stand there. Without a work folder the log is in @criu/ID in the state root, and stays there when criu fails.',
    'CRIU reads further options from /etc/criu/runt.conf. The annotation org.criu.config names another file; it can choose harmless ones, as tcp-established or ghost-limit. If it is empty, there are none.',
  ],
  flags: [
    ...CRIU_FLAGS,
    { name: 'leave-running', kind: 'boolean', help: 'let it go on afterwards' },
    { name: 'pre-dump', kind: 'boolean', help: 'only save its memory, and let it go on' },
    {
      name: 'parent-path',
      kind: 'string',
      value: 'DIR',
      help: "an earlier pre-dump, relative to the images' folder: what has not changed since is not saved again",
    },
    { name: 'tcp-skip-in-flight', kind: 'boolean', help: 'leave out TCP connections that are not accepted yet' },
    { name: 'link-remap', kind: 'boolean', help: 'allow open files whose names were removed, by links beside them' },
    {
      name: 'page-server',
      kind: 'string',
      value: 'ADDRESS:PORT',
      help: 'send memory there, or with --lazy-pages serve it',
    },
    {
      name: 'status-fd',
      kind: 'string',
      value: 'FD',
      help: 'write a zero byte to FD once lazy pages can be asked for',
    },
  ],
  examples: [
    ['runt checkpoint --image-path saved mine', 'save it into the folder saved, and end it'],
    ['runt checkpoint --image-path saved --leave-running --tcp-established mine', 'let it go on, with its connections'],
  ],
  arity: [1, 1],
  async run(args, { store }) {
    await checkpointContainer(store, args.operands[0] ?? '', {
      ...criuFlags(args),
      leaveRunning: args.boolean('leave-running'),
      preDump: args.boolean('pre-dump'),
      parentPath: args.string('parent-path'),
      tcpSkipInFlight: args.boolean('tcp-skip-in-flight'),
      linkRemap: args.boolean('link-remap'),
      pageServer: pageServer(args),
      statusFd: args.number('status-fd', 0, MOST_FDS),
    })
    return 0
  },
}

/** An address of version 6 stands in brackets. */
function pageServer(args: Parsed): CheckpointOptions['pageServer'] {
  const text = args.string('page-server')
  if (text === undefined) return undefined
  const [, inBrackets, plain, digits] = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? []
  const address = inBrackets ?? plain
  const port = Number(digits)
  if (address !== undefined && port >= 1 && port <= MOST_PORTS) return { address, port }
  throw new RuntError('usage', `--page-server ${JSON.stringify(text)} is not ADDRESS:PORT`)
}
