// features.md: what a runtime says that it understands, it does.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, bindFolder, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check, needsKernel, skip } from '../case.ts'

interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks?: readonly string[]
  readonly mountOptions?: readonly string[]
  readonly annotations?: Readonly<Record<string, string>>
  readonly linux?: {
    readonly namespaces?: readonly string[]
    readonly capabilities?: readonly string[]
    readonly seccomp?: Readonly<Record<'actions' | 'operators' | 'archs' | 'supportedFlags', readonly string[]>>
    readonly memoryPolicy?: { readonly modes?: readonly string[]; readonly flags?: readonly string[] }
    readonly mountExtensions?: { readonly idmap?: { readonly enabled?: boolean } }
  }
}

async function featuresOf(box: Box): Promise<Features> {
  const result = await box.command(['features'])
  if (result.status !== 0) skip('this runtime has no command features')
  return JSON.parse(result.stdout) as Features // checked by the cases
}

/** Create a container for each of a list, and delete it. @returns those that were refused, and why */
async function refusedOf(box: Box, words: readonly string[], editsFor: (word: string) => Edits): Promise<string[]> {
  const refused: string[] = []
  for (const word of words) {
    const { status, stderr } = await box.tryCreate(editsFor(word))
    if (status !== 0) refused.push(`${word}: ${stderr.trim()}`)
    await box.delete('--force')
  }
  return refused
}

check('I2', 'configs of both ends of the range of versions are accepted', async (box) => {
  const { ociVersionMin, ociVersionMax } = await featuresOf(box)
  assert.equal(await refusedOf(box, [ociVersionMin, ociVersionMax], (version) => ({ '/ociVersion': version })), [])
})

const MAPPINGS = [{ containerID: 0, hostID: 100000, size: 1000 }]

/** Where a mount option means something. */
function mountsFor(box: Box, option: string): Edits {
  const bind = { destination: '/mnt', type: 'bind', source: box.folder }
  if (option === 'remount') {
    return {
      '/mounts/0': { ...bind, options: ['bind'] },
      '/mounts/1': { ...bind, options: ['bind', 'remount', 'ro'] },
      '/mounts/2': { destination: '/proc', type: 'proc', source: 'proc' },
      '/linux/maskedPaths': [],
    }
  }
  if (/^r?idmap$/.test(option)) {
    return { '/mounts/-': { ...bind, options: ['rbind', option], uidMappings: MAPPINGS, gidMappings: MAPPINGS } }
  }
  if (option.endsWith('-nofollow')) return { '/mounts/-': { ...bind, options: ['bind', option] } }
  if (/^r?bind$/.test(option)) return { '/mounts/-': { ...bind, options: [option] } }
  // Propagation, and what is said of a whole tree, is said of a bind.
  if (/^r?(shared|slave|private|unbindable)$/.test(option) || /^r(?!o$|w$|elatime$)/.test(option)) {
    return { '/mounts/-': { ...bind, options: ['rbind', option] } }
  }
  return { '/mounts/-': { destination: '/mnt', type: 'tmpfs', source: 'tmpfs', options: [option] } }
}

check('I3', 'every mount option of the features can be used', async (box) => {
  const { mountOptions = [] } = await featuresOf(box)
  assert.ok(mountOptions.length > 40)
  assert.equal(await refusedOf(box, mountOptions, (option) => mountsFor(box, option)), [])
})

check('I3', 'every namespace of the features is made', async (box) => {
  const { namespaces = [] } = (await featuresOf(box)).linux ?? {}
  assert.ok(namespaces.length >= 7)
  const listed = namespaces.map((type) => ({ type }))
  const mappings = [{ containerID: 0, hostID: 100000, size: 65536 }]
  const maps = { '/linux/uidMappings': mappings, '/linux/gidMappings': mappings }
  const edits = { '/linux/namespaces': listed, '/linux/maskedPaths': [], '/linux/readonlyPaths': [] }
  await box.create(namespaces.includes('user') ? { ...edits, ...maps, '/linux/resources': {} } : edits)
})

check('I3', 'every hook of the features runs', async (box) => {
  const { hooks = [] } = await featuresOf(box)
  assert.ok(hooks.length >= 6)
  const seen = box.path('seen')
  const data = bindFolder(box)
  const hookEdits = hooks.map((kind) => {
    const isInside = kind === 'startContainer'
    const args = ['sh', '-c', `echo ${kind} >>${isInside ? '/data/seen' : seen}`]
    return [`/hooks/${kind}`, [{ path: '/bin/sh', args }]]
  })
  await box.create({ '/mounts/-': data, ...Object.fromEntries(hookEdits) })
  await box.start()
  await box.waitForStatus('stopped')
  await box.delete()
  const ran = readFileSync(seen, 'utf8').trim().split('\n')
  assert.equal(ran.sort(), [...hooks].sort())
})

check('I3', 'every capability of the features is recognised', async (box) => {
  const { capabilities = [] } = (await featuresOf(box)).linux ?? {}
  assert.ok(capabilities.length >= 38)
  // One that the caller lacks can't be given: it goes on with a warning, or the runtime is known to fail there.
  const own = BigInt(`0x${/^CapPrm:\s*(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? '0'}`)
  const given = capabilities.filter((_, index) => (own >> BigInt(index)) & 1n)
  const sets = Object.fromEntries(['bounding', 'effective', 'permitted'].map((set) => [set, given]))
  const said = await box.sh("sed -n 's/^CapBnd:[^0-9a-f]*//p' /proc/self/status", { '/process/capabilities': sets })
  assert.is(BigInt(`0x${said}`), own & ((1n << BigInt(capabilities.length)) - 1n))
})

check('I1', 'the features are the same for whoever asks', async (box) => {
  await featuresOf(box)
  const first = succeeded(await box.command(['features'])).stdout
  const second = succeeded(await box.command(['features'], { cwd: '/', env: { HOME: '/nowhere', PATH: '' } })).stdout
  assert.is(second, first)
})

/** Whatever the profile says, the container itself makes none of these calls. */
const rule = (more: object) => ({ names: ['acct'], action: 'SCMP_ACT_ERRNO', ...more })
const profile = (more: object) => ({ '/linux/seccomp': { defaultAction: 'SCMP_ACT_ALLOW', ...more } })

check(
  'I3',
  'every action, operator, architecture and flag of the features is recognised in a seccomp profile',
  async (box) => {
    const seccomp = (await featuresOf(box)).linux?.seccomp ?? skip('the features say nothing of seccomp')
    const { actions = [], operators = [], archs = [], supportedFlags = [] } = seccomp
    assert.ok(actions.length >= 8 && operators.length === 7 && archs.length >= 10)
    // A listener wants an agent: there are cases of their own for it.
    const alone = actions.filter((action) => action !== 'SCMP_ACT_NOTIFY')
    assert.equal(await refusedOf(box, alone, (action) => profile({ syscalls: [rule({ action })] })), [])
    const compare = (op: string) => profile({ syscalls: [rule({ args: [{ index: 0, value: 1, valueTwo: 1, op }] })] })
    assert.equal(await refusedOf(box, operators, compare), [])
    assert.equal(await refusedOf(box, archs, (arch) => profile({ architectures: [arch], syscalls: [rule({})] })), [])
    const flagged = supportedFlags.filter((flag) => flag !== 'SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV') // of a listener
    assert.equal(await refusedOf(box, flagged, (flag) => profile({ flags: [flag], syscalls: [rule({})] })), [])
  },
)

const WEIGHTED = 'MPOL_WEIGHTED_INTERLEAVE'

async function memoryModesOf(box: Box): Promise<readonly string[]> {
  const { modes = [], flags = [] } =
    (await featuresOf(box)).linux?.memoryPolicy ?? skip('the features say nothing of memoryPolicy')
  assert.ok(modes.length >= 5 && flags.length >= 2)
  return modes
}

function memoryPolicy(mode: string): Edits {
  const hasNodes = !['MPOL_DEFAULT', 'MPOL_LOCAL', 'MPOL_PREFERRED'].includes(mode)
  return { '/linux/memoryPolicy': hasNodes ? { mode, nodes: '0' } : { mode } }
}

check('I3', 'every mode of the features is recognised in a memoryPolicy', async (box) => {
  const modes = (await memoryModesOf(box)).filter((mode) => mode !== WEIGHTED)
  assert.equal(await refusedOf(box, modes, memoryPolicy), [])
})

check('I3', 'the newest mode of the features is recognised in a memoryPolicy', async (box) => {
  needsKernel('6.9', WEIGHTED)
  const modes = (await memoryModesOf(box)).filter((mode) => mode === WEIGHTED)
  assert.equal(await refusedOf(box, modes, memoryPolicy), [])
})

check('I4', 'no option of a file system is among the mount options', async (box) => {
  const { mountOptions = [] } = await featuresOf(box)
  const strangers = mountOptions.filter((option) =>
    /=|^(size|mode|uid|gid|lowerdir|nr_inodes|newinstance)$/.test(option),
  )
  assert.equal(strangers, [])
})

check('I5', 'idmap is told as it is', async (box) => {
  const { enabled } =
    (await featuresOf(box)).linux?.mountExtensions?.idmap ?? skip('the features say nothing of mount extensions')
  const bind = { destination: '/mnt', type: 'bind', source: box.folder, options: ['rbind', 'idmap'] }
  const mapped = { ...bind, uidMappings: MAPPINGS, gidMappings: MAPPINGS }
  assert.is((await box.tryCreate({ '/mounts/-': mapped })).status === 0, enabled === true)
})

check('I6', 'nothing of the features is null', async (box) => {
  const nulls = (value: unknown): boolean =>
    value === null || (typeof value === 'object' && Object.values(value).some((each) => nulls(each)))
  assert.not.ok(nulls(await featuresOf(box)))
})
