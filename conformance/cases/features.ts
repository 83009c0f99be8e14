// features.md: what a runtime says that it understands, it does.

import { readFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { type Box, succeeded } from '../box.ts'
import type { Edits } from '../bundle.ts'
import { check, skip } from '../case.ts'

interface Features {
  readonly ociVersionMin: string
  readonly ociVersionMax: string
  readonly hooks?: readonly string[]
  readonly mountOptions?: readonly string[]
  readonly linux?: { readonly namespaces?: readonly string[]; readonly capabilities?: readonly string[] }
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
  const data = { destination: '/data', type: 'bind', source: box.folder, options: ['bind'] }
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
