import { writeSpec } from '../../lifecycle/spec.ts'
import type { Command } from '../command.ts'

export const spec: Command = {
  name: 'spec',
  operands: '',
  summary: 'write a config.json to start from',
  details: [
    'The config has what every container should have: namespaces, the usual mounts, few capabilities, masked paths. An existing config.json is not overwritten.',
  ],
  flags: [
    { name: 'bundle', short: 'b', kind: 'string', value: 'DIR', help: 'where to write it (.)' },
    { name: 'file', short: 'f', kind: 'string', value: 'FILE', help: 'its name, there or absolute (config.json)' },
    { name: 'rootless', kind: 'boolean', help: 'for a container of an ordinary user' },
  ],
  examples: [
    ['runt spec --bundle box', 'write box/config.json'],
    ['runt spec --rootless && runt run mine', 'a container of an ordinary user, of the folder rootfs here'],
  ],
  arity: [0, 0],
  async run(args) {
    const file = args.string('file') ?? 'config.json'
    const path = file.startsWith('/') ? file : `${args.string('bundle') ?? '.'}/${file}`
    writeSpec(path, { rootless: args.boolean('rootless') })
    return 0
  },
}
