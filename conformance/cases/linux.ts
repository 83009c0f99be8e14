// config-linux.md: sysctl, masked and read-only paths, propagation of the root, personality, memory policy.

import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../box.ts'
import { NAMESPACES } from '../bundle.ts'
import { assertDeviceUntouched } from '../canary.ts'
import { check, needsKernel, skip } from '../case.ts'

check('H6', 'sysctl', async (box) => {
  const said = await box.sh('cat /proc/sys/net/ipv4/ip_forward /proc/sys/kernel/msgmax', {
    '/linux/sysctl': { 'net.ipv4.ip_forward': '1', 'kernel.msgmax': '4242' },
  })
  assert.is(said, '1\n4242')
})

for (const [name, why] of [
  ['vm.swappiness', 'is not of a namespace'],
  ['kernel.hostname', 'has a property of its own'],
  ['net.ipv4.no_such_thing', 'does not exist'],
] as const) {
  check('H6', `sysctl ${name} is refused: it ${why}`, async (box) => {
    await box.rejected({ '/linux/sysctl': { [name]: '1' } })
  })
}

check('H6', 'sysctl kernel.domainname is refused beside domainname', async (box) => {
  await box.rejected({ '/domainname': 'one', '/linux/sysctl': { 'kernel.domainname': 'other' } })
})

check('H6', 'sysctl of a namespace that the container does not have is refused', async (box) => {
  await box.rejected({
    '/linux/namespaces': NAMESPACES.filter(({ type }) => type !== 'ipc'),
    '/linux/sysctl': { 'kernel.msgmax': '4242' },
  })
})

check('H10', 'masked files and folders can be read, and are empty', async (box) => {
  const script = 'echo secret >/data/x; wc -c </etc/passwd; ls /mnt; wc -c </proc/version; ls /sys/firmware'
  const said = await box.sh(script, {
    '/linux/maskedPaths': ['/etc/passwd', '/mnt', '/proc/version', '/sys/firmware'],
  })
  assert.match(said, /^0\n0$/)
})

check('H10', 'more masked and read-only paths than there may be open files', async (box) => {
  for (let index = 0; index < 300; index++) {
    writeFileSync(`${box.rootfs}/mnt/masked${index}`, 'seen')
    writeFileSync(`${box.rootfs}/mnt/fixed${index}`, '')
  }
  const named = (word: string): string[] => Array.from({ length: 300 }, (_, index) => `/mnt/${word}${index}`)
  const limited = await box.runPrepared('ulimit -n 256', {
    '/root/readonly': false,
    '/linux/maskedPaths': [...named('masked'), ...named('absent')],
    '/linux/readonlyPaths': named('fixed'),
    '/process/rlimits': [],
    '/process/args': [
      'sh',
      '-c',
      'cat /mnt/masked*; for file in /mnt/fixed*; do echo x 2>/dev/null >$file && echo $file; done; true',
    ],
  })
  assert.is(succeeded(limited).stdout, '')
})

const CHANGES = ['chmod 606', 'chown 0:1', 'touch -t 200001010000']

check('H10', "what is done to a masked file doesn't change the host's null device", async (box) => {
  await assertDeviceUntouched('/dev/null', async () => {
    const script = `${CHANGES.map((change) => `${change} /proc/keys`).join('; ')}; : >/proc/keys`
    assert.is(await box.sh(`(${script}) 2>/proc/keys; echo done`, { '/linux/maskedPaths': ['/proc/keys'] }), 'done')
  })
})

check('H10', 'neither mode nor owner nor times of a mask can be changed', async (box) => {
  await assertDeviceUntouched('/dev/null', async () => {
    const script = ['/proc/keys', '/mnt'].flatMap((path) => CHANGES.map((change) => `${change} ${path} 2>&1`))
    const said = await box.sh([...script, 'true'].join('; '), { '/linux/maskedPaths': ['/proc/keys', '/mnt'] })
    assert.is(said.match(/Read-only file system/g)?.length, script.length, said)
  })
})

/** What a program with the rights of any user may try for a procfs and a sysfs without masks. */
const NESTED = `unshare -Urpfm sh -c 'mount -t proc p /mnt && echo proc' 2>&1
  unshare -Urnm sh -c 'mount -t sysfs s /mnt && echo sysfs' 2>&1
  unshare -Urm sh -c 'mount -t tmpfs t /mnt && echo nested'`
const NESTED_EDITS = {
  '/process/args': ['sh', '-c', NESTED],
  '/process/capabilities': { bounding: ['CAP_SETFCAP'], permitted: ['CAP_SETFCAP'], effective: ['CAP_SETFCAP'] },
  '/linux/maskedPaths': ['/proc/keys', '/sys/kernel'],
}
const MAPPINGS = [{ containerID: 0, hostID: 100_000, size: 65_536 }]
const USER = {
  '/linux/namespaces': [...NAMESPACES, { type: 'user' }],
  '/linux/uidMappings': MAPPINGS,
  '/linux/gidMappings': MAPPINGS,
}

check('H10', "root of a user namespace doesn't get the host's null device as its own", async (box) => {
  await assertDeviceUntouched('/dev/null', async () => {
    assert.is(await box.sh('read word; echo "<$word>"', USER), '<>')
  })
})

for (const [what, script] of [
  ['', 'true'],
  [', of which there are several', 'mkdir -p "$1/p" "$1/a b" && mount -t proc p "$1/p" && mount -t sysfs s "$1/a b"'],
  [', one of which is under another mount', 'mkdir -p "$1/x/p" && mount -t proc p "$1/x/p" && mount -t tmpfs t "$1/x"'],
] as const) {
  for (const [where, edits] of [
    ['', {}],
    [' in a user namespace', USER],
  ] as const) {
    check('H10', `without a pivot the host's procfs and sysfs${what} give nobody a whole one${where}`, async (box) => {
      const prepare = `set -- "${box.path('host')}" "$@" && ${script} && shift`
      const all = { ...NESTED_EDITS, ...edits }
      await assertDeviceUntouched('/dev/null', async () => {
        const { stdout } = succeeded(await box.runPrepared(prepare, all, [], ['--no-pivot']))
        assert.not.match(stdout, /^(proc|sysfs)$/m)
        assert.match(stdout, /^nested$/m)
      })
    })
  }
}

check('H10', 'a masked folder can not be written to', async (box) => {
  const said = await box.sh('touch /mnt/x 2>&1 || true', { '/linux/maskedPaths': ['/mnt'] })
  assert.match(said, /Read-only file system/)
})

check('H10', 'masked and read-only paths that do not exist are passed over', async (box) => {
  const said = await box.sh('echo on', { '/linux/maskedPaths': ['/nowhere/x'], '/linux/readonlyPaths': ['/nowhere/y'] })
  assert.is(said, 'on')
})

check('H10', 'read-only paths can not be written to', async (box) => {
  const said = await box.sh('touch /data/x 2>&1; touch /tmp/x && echo fine', {
    '/linux/readonlyPaths': ['/data'],
  })
  assert.match(said, /^touch: .*Read-only file system\nfine$/)
})

check('K2', 'kernel settings can not be written through /proc/sys', async (box) => {
  const said = await box.sh('echo 1 2>&1 >/proc/sys/kernel/panic || true')
  assert.match(said, /Read-only file system/)
})

const TAGS: Readonly<Record<string, RegExp>> = {
  shared: / shared:\d+ /,
  slave: /^((?!shared:).)*$/,
  private: /^((?!shared:|master:).)*$/,
  unbindable: / unbindable /,
}
for (const [propagation, pattern] of Object.entries(TAGS)) {
  check('H9', `rootfsPropagation ${propagation}`, async (box) => {
    const mounts = await box.sh('cat /proc/self/mountinfo', { '/linux/rootfsPropagation': propagation })
    const root = mounts.split('\n').find((line) => line.split(' ')[4] === '/')
    assert.match(root ?? '', pattern)
  })
}

check('H1', 'intelRdt is refused where resctrl is not mounted', async (box) => {
  if (readFileSync('/proc/self/mountinfo', 'utf8').includes(' - resctrl ')) skip('resctrl is mounted here')
  await box.rejected({ '/linux/intelRdt': { closID: 'some' } })
  await box.rejected({ '/linux/intelRdt': { enableMonitoring: true } })
})

check('H11', 'mountLabel is left out where there is no SELinux', async (box) => {
  if (existsSync('/sys/fs/selinux/enforce')) skip('SELinux is at work here')
  assert.is(await box.sh('echo ran', { '/linux/mountLabel': 'system_u:object_r:container_file_t:s0:c1,c2' }), 'ran')
})

check('H12', 'personality LINUX32', async (box) => {
  assert.match(await box.sh('uname -m', { '/linux/personality': { domain: 'LINUX32' } }), /^(i686|armv\w+)$/)
})

check('H12', 'the personality is for processes of exec, too', async (box) => {
  await box.launch('exec sleep 60', { '/linux/personality': { domain: 'LINUX32' } })
  const { stdout, stderr } = await box.command(['exec', box.id, 'uname', '-m'])
  assert.match(stdout, /^(i686|armv\w+)$/m, stderr)
})

check('0.27', 'an unknown personality is refused', async (box) => {
  await box.rejected({ '/linux/personality': { domain: 'HURD' } })
})

check('0.27', 'a flag of a personality is refused, since none is defined', async (box) => {
  await box.rejected({ '/linux/personality': { domain: 'LINUX32', flags: ['ADDR_NO_RANDOMIZE'] } })
})

const MEMORY_POLICIES = [
  [{ mode: 'MPOL_DEFAULT' }, 'default'],
  [{ mode: 'MPOL_BIND', nodes: '0' }, 'bind:0'],
  [{ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_STATIC_NODES'] }, 'bind=static:0'],
  [{ mode: 'MPOL_INTERLEAVE', nodes: '0', flags: ['MPOL_F_RELATIVE_NODES'] }, 'interleave=relative:0'],
  [{ mode: 'MPOL_WEIGHTED_INTERLEAVE', nodes: '0' }, 'weighted interleave:0'],
  [{ mode: 'MPOL_PREFERRED', nodes: '0' }, 'prefer:0'],
  [{ mode: 'MPOL_PREFERRED_MANY', nodes: '0' }, 'prefer (many):0'],
  [{ mode: 'MPOL_LOCAL' }, 'local'],
] as const
for (const [policy, expected] of MEMORY_POLICIES) {
  check('H5', `memoryPolicy ${expected}`, async (box) => {
    if (policy.mode === 'MPOL_WEIGHTED_INTERLEAVE') needsKernel('6.9', 'weights of memory nodes')
    const { stdout, stderr } = await box.run({
      '/process/args': ['cat', '/proc/self/numa_maps'],
      '/linux/memoryPolicy': policy,
    })
    const found = stdout.match(/^\S+ (.+?) (?:file|heap|stack|anon)/m)?.[1]
    assert.is(found, expected, `${stdout}${stderr}`)
  })
}

for (const [policy, why] of [
  [{ mode: 'MPOL_NEAR' }, 'an unknown mode'],
  [{ mode: 'MPOL_BIND' }, 'a mode without its nodes'],
  [{ mode: 'MPOL_BIND', nodes: 'all' }, 'nodes that are no list'],
  [{ mode: 'MPOL_BIND', nodes: '63' }, 'a node that does not exist'],
  [{ mode: 'MPOL_BIND', nodes: '0', flags: ['MPOL_F_SOME'] }, 'an unknown flag'],
  [{ mode: 'MPOL_LOCAL', nodes: '0' }, 'nodes for a mode that has none'],
] as const) {
  check('H5', `a memoryPolicy with ${why} is refused`, async (box) => {
    await box.rejected({ '/linux/memoryPolicy': policy })
  })
}

check('0.28', 'uidMappings of a mount without gidMappings are refused', async (box) => {
  await box.rejected({
    '/mounts/-': {
      destination: '/data',
      type: 'bind',
      source: box.folder,
      options: ['bind'],
      uidMappings: [{ containerID: 0, hostID: 1000, size: 1 }],
    },
  })
})
