// Pods as the kubelet makes them, through containerd's Container Runtime Interface: RuntimeClass names the runtime.

import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { succeeded } from '../../box.ts'
import { skip } from '../../case.ts'
import { on } from '../case.ts'
import { CNI_PLUGINS, type Config, NamespaceMode, Pod, Profile, Propagation } from '../cri.ts'
import { waitFor } from '../engine.ts'
import { IMAGE } from '../image.ts'
import { missingPrograms } from '../missing.ts'
import { RUNTIME_NAME } from '../path.ts'

/** A pod in the machine's network: no plugins are needed. */
const ON_NODE_SECURITY = { namespace_options: { network: NamespaceMode.NODE } }
const ON_NODE: Config = { linux: { security_context: ON_NODE_SECURITY } }
const IN_NODE: Config = { namespace_options: { network: NamespaceMode.NODE, pid: NamespaceMode.CONTAINER } }

/** A container’s security context with processes of its own, and resources. */
function linux(security: Config, resources: Config = {}): Config {
  return { linux: { security_context: { ...IN_NODE, ...security }, resources } }
}

async function said(pod: Pod, container: string, script: string): Promise<string> {
  return succeeded(await pod.exec(container, script)).stdout.trim()
}

async function fails(call: Promise<unknown>, words: RegExp): Promise<void> {
  const outcome = await call.then(
    () => 'it succeeded',
    (error) => `${error}`,
  )
  assert.match(outcome, words)
}

async function until(pod: Pod, container: string, expected: string): Promise<void> {
  await waitFor(`the container to be ${expected}`, async () => {
    const value = await pod.status(container)
    return { done: value === expected, value }
  })
}

on(
  'cri',
  'a pod: its container runs by the handler’s runtime, writes a log, is stopped and removed',
  async (engine) => {
    const pod = await Pod.run(engine, ON_NODE)
    const script = 'echo out; echo err >&2; trap "exit 7" TERM; while :; do sleep 0.1; done'
    const config = { ...linux({}), envs: [{ key: 'A', value: 'b' }], working_dir: '/etc' }
    const container = await pod.start(IMAGE, script, config)
    assert.is(await pod.status(container), 'running 0')
    assert.is(await said(pod, container, 'echo $A $IMAGE; pwd; id -u'), 'b box\n/etc\n0')
    const calls = readFileSync(`${engine.engine.world.folder}/containerd-cri/runc.log`, 'utf8')
    for (const id of [pod.id, container]) {
      assert.match(calls, new RegExp(`^${RUNTIME_NAME} .* create --bundle .*${id}$`, 'm'))
    }
    await pod.stop(container, 5)
    await until(pod, container, 'exited 7 Error')
    const [log = ''] = readdirSync(engine.folder).filter((name) => name.endsWith('.log'))
    const lines = readFileSync(`${engine.folder}/${log}`, 'utf8').trim().split('\n')
    assert.equal(lines.map((line) => line.split(' ').slice(1).join(' ')).sort(), ['stderr F err', 'stdout F out'])
    await pod.remove(container)
    await fails(pod.status(container), /code 5/)
  },
  { short: true },
)

on('cri', 'a pod: a handler that nobody has configured is refused', async (engine) => {
  await fails(Pod.run(engine, ON_NODE, 'no-such-handler'), /no-such-handler/)
})

on('cri', 'exec: statuses, both streams, and the time that is up', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const container = await pod.start(IMAGE, 'sleep 300', linux({}))
  assert.equal(await pod.exec(container, 'echo out; echo err >&2; exit 3'), {
    stdout: 'out\n',
    stderr: 'err\n',
    status: 3,
  })
  await fails(pod.exec(container, 'sleep 20', 1), /timeout|deadline/i)
  assert.is(await said(pod, container, 'pidof sleep | wc -w'), '1')
})

on('cri', 'containers of a pod share what it says', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const [first, second] = [
    await pod.start(IMAGE, 'sleep 300', linux({})),
    await pod.start(IMAGE, 'sleep 300', linux({})),
  ]
  const namespaces = async (container: string): Promise<string[]> =>
    (await said(pod, container, 'for n in ipc uts net pid mnt; do readlink /proc/self/ns/$n; done')).split('\n')
  const [a, b] = [await namespaces(first), await namespaces(second)]
  assert.equal(a.slice(0, 3), b.slice(0, 3))
  assert.is.not(a[3], b[3])
  assert.is.not(a[4], b[4])
  await said(pod, first, 'echo x >/dev/shm/mark')
  assert.is(await said(pod, second, 'cat /dev/shm/mark'), 'x')

  const shared = { network: NamespaceMode.NODE, pid: NamespaceMode.POD }
  const one = await Pod.run(engine, { linux: { security_context: { namespace_options: shared } } })
  const security = { linux: { security_context: { namespace_options: shared } } }
  await one.start(IMAGE, 'sleep 307', security)
  assert.is(await said(one, await one.start(IMAGE, 'sleep 308', security), 'ps -o args | grep -c "sleep 30[78]"'), '2')
})

on(
  'cri',
  'a security context: user, groups, capabilities, read-only root, privileges, filter, paths',
  async (engine) => {
    const pod = await Pod.run(engine, ON_NODE)
    const context = {
      run_as_user: { value: 12 },
      run_as_group: { value: 34 },
      supplemental_groups: [56],
      capabilities: { drop_capabilities: ['ALL'], add_capabilities: ['NET_ADMIN'] },
      readonly_rootfs: true,
      no_new_privs: true,
      seccomp: { profile_type: 0 },
      masked_paths: ['/proc/timer_list'],
      readonly_paths: ['/proc/sys'],
    }
    const container = await pod.start(IMAGE, 'sleep 300', linux(context))
    const script =
      'id -u; id -g; id -G; grep -E "CapBnd|NoNewPrivs|Seccomp:" /proc/self/status | cut -f2; touch /tmp/x 2>&1; ' +
      'wc -c </proc/timer_list; grep -c " /proc/sys ro," /proc/self/mountinfo'
    const expected = [
      '12',
      '34',
      '34 56',
      '0000000000001000',
      '1',
      '2',
      'touch: /tmp/x: Read-only file system',
      '0',
      '1',
    ]
    assert.equal((await said(pod, container, script)).split('\n'), expected)
    const plain = await pod.start(IMAGE, 'sleep 300', linux({ seccomp: { profile_type: 1 } }))
    assert.is(await said(pod, plain, 'grep Seccomp: /proc/self/status | cut -f2; touch /tmp/x && echo made'), '0\nmade')
  },
)

on('cri', 'resources: limits, their update, and the end of memory', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const limits = { memory_limit_in_bytes: 64 << 20, cpu_period: 100000, cpu_quota: 50000, oom_score_adj: 500 }
  const container = await pod.start(IMAGE, 'sleep 300', linux({}, limits))
  const script =
    'cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/cpu/cpu.cfs_quota_us /proc/1/oom_score_adj'
  assert.is(await said(pod, container, script), `${64 << 20}\n50000\n500`)
  await pod.update(container, { memory_limit_in_bytes: 32 << 20, cpu_period: 100000, cpu_quota: 25000 })
  assert.is(await said(pod, container, script), `${32 << 20}\n25000\n500`)
  const hungry = await pod.start(IMAGE, 'tail /dev/zero', linux({}, { memory_limit_in_bytes: 16 << 20 }))
  await until(pod, hungry, 'exited 137 OOMKilled')
})

on('cri', 'mounts of the node: a file, a folder that is read-only, and what is mounted there later', async (engine) => {
  const folder = `${engine.folder}/share`
  mkdirSync(`${folder}/late`, { recursive: true })
  writeFileSync(`${folder}/file`, 'here\n')
  await engine.shell(`mount --bind ${folder} ${folder} && mount --make-shared ${folder}`)
  const pod = await Pod.run(engine, ON_NODE)
  const mounts = [
    { container_path: '/ro', host_path: folder, readonly: true },
    { container_path: '/etc/one', host_path: `${folder}/file` },
    { container_path: '/slave', host_path: folder, propagation: 1 },
  ]
  const container = await pod.start(IMAGE, 'sleep 300', { ...linux({}), mounts })
  await engine.shell(`mount -t tmpfs late ${folder}/late && echo x >${folder}/late/x`)
  const script = 'cat /ro/file /etc/one /slave/late/x; ls /ro/late | wc -l; touch /ro/x 2>&1 | grep -c Read-only'
  assert.is(await said(pod, container, script), 'here\nhere\nx\n0\n1')
  await pod.stop(container, 0)
  await engine.shell(`umount -R ${folder}`)
})

on('cri', 'a network by plugins: pods reach each other, and have sysctls of their own', async (engine) => {
  if (missingPrograms(['bridge', 'host-local', 'loopback'], [CNI_PLUGINS]) !== undefined) {
    skip('needs containernetworking-plugins')
  }
  const own = { hostname: 'server', linux: { sysctls: [{ key: 'net.ipv4.ip_unprivileged_port_start', value: '0' }] } }
  const [server, client] = [await Pod.run(engine, own), await Pod.run(engine, { hostname: 'client' })]
  const serve = 'mkdir /tmp/www; echo hello >/tmp/www/index.html; httpd -f -p 80 -h /tmp/www'
  const user = { linux: { security_context: { run_as_user: { value: 12 } } } }
  const web = await server.start(IMAGE, serve, user)
  const address = await said(server, web, "ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'")
  assert.match(address, /^10\.79\.0\.\d+$/)
  const container = await client.start(IMAGE, 'sleep 300')
  const get = `sleep 0.3; printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc ${address} 80 | tail -1; hostname`
  assert.is(await said(client, container, get), 'hello\nclient')
})

on('cri', 'what has stopped is stopped again, and what is gone removed again, without an error', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const container = await pod.start(IMAGE, 'sleep 300', linux({}))
  for (const _ of ['once', 'again']) await pod.stop(container, 0)
  for (const _ of ['once', 'again']) await pod.remove(container)
  const running = await pod.start(IMAGE, 'sleep 300', linux({}))
  assert.ok(await pod.isReady())
  for (const _ of ['once', 'again']) await pod.end()
  assert.not.ok(await pod.isReady())
  await until(pod, running, 'exited 137 Error')
  for (const _ of ['once', 'again']) await pod.removeAll()
  await fails(pod.status(running), /code 5/)
})

on('cri', 'namespaces: processes of the node, of the pod, of one other container; IPC of the node', async (engine) => {
  const pod = await Pod.run(engine, {
    linux: {
      security_context: {
        namespace_options: { network: NamespaceMode.NODE, pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE },
      },
    },
  })
  const inode = async (container: string, name: string) => said(pod, container, `readlink /proc/self/ns/${name}`)
  const nodes = (name: string) => engine.shell(`readlink /proc/self/ns/${name}`)
  const security = (options: Config) => linux({ namespace_options: { network: NamespaceMode.NODE, ...options } })
  const all = await pod.start(IMAGE, 'sleep 311', security({ pid: NamespaceMode.NODE, ipc: NamespaceMode.NODE }))
  for (const name of ['pid', 'ipc', 'net']) assert.is(await inode(all, name), await nodes(name), name)
  const own = await pod.start(IMAGE, 'sleep 312', security({ pid: NamespaceMode.CONTAINER, ipc: NamespaceMode.NODE }))
  assert.is.not(await inode(own, 'pid'), await nodes('pid'))
  assert.is(await said(pod, own, 'cat /proc/1/cmdline | tr "\\0" " "'), 'sleep 312')
  const beside = { pid: NamespaceMode.TARGET, target_id: own, ipc: NamespaceMode.NODE }
  const target = await pod.start(IMAGE, 'sleep 313', security(beside))
  assert.is(await inode(target, 'pid'), await inode(own, 'pid'))
  assert.is(await said(pod, target, 'ps -o args | grep -c "sleep 31[23]$"'), '2')
})

on('cri', 'who the program is: by name, by number, with a group; a group alone is refused', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const ids = async (security: Config) => {
    const container = await pod.start(IMAGE, 'sleep 300', linux(security))
    return (await said(pod, container, 'id -u; id -g; stat -c %u /proc/1')).split('\n')
  }
  const [uid, gid, owner] = await ids({ run_as_username: 'user' })
  assert.equal([uid, owner], ['1000', '1000'])
  assert.is(gid, '1000')
  assert.equal((await ids({ run_as_user: { value: 77 } })).slice(0, 2), ['77', '0'])
  assert.equal((await ids({ run_as_user: { value: 77 }, run_as_group: { value: 88 } })).slice(0, 2), ['77', '88'])
  await fails(pod.start(IMAGE, 'true', linux({ run_as_group: { value: 88 } })), /group/i)
})

on('cri', 'filters: the runtime’s, none, and one of a file', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const file = `${engine.folder}/filter.json`
  const rules = [{ names: ['chmod', 'fchmodat', 'fchmodat2', 'fchmod'], action: 'SCMP_ACT_ERRNO' }]
  writeFileSync(file, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: rules }))
  const modes = { DEFAULT: '2', UNCONFINED: '0', LOCALHOST: '2' } as const
  for (const [name, mode] of Object.entries(modes) as [keyof typeof modes, string][]) {
    const seccomp = { profile_type: Profile[name], ...(name === 'LOCALHOST' ? { localhost_ref: file } : {}) }
    const container = await pod.start(IMAGE, 'sleep 300', linux({ seccomp }))
    const script = 'grep Seccomp: /proc/1/status | cut -f2; chmod 700 /tmp 2>&1 | grep -c "not permitted"'
    assert.is((await pod.exec(container, script)).stdout, `${mode}\n${name === 'LOCALHOST' ? 1 : 0}\n`, name)
  }
  const privileged = linux({ privileged: true })
  const whole = { linux: { security_context: { ...ON_NODE_SECURITY, privileged: true } } }
  const open = await Pod.run(engine, whole)
  const container = await open.start(IMAGE, 'sleep 300', privileged)
  assert.is(await said(open, container, 'grep Seccomp: /proc/1/status | cut -f2'), '0')
})

on('cri', 'privileges: all, the usual ones, and no new ones', async (engine) => {
  const whole = { linux: { security_context: { ...ON_NODE_SECURITY, privileged: true } } }
  const pod = await Pod.run(engine, whole)
  const look =
    'mount -t tmpfs x /mnt 2>/dev/null && echo mounted; grep -c "^tmpfs /proc" /proc/mounts; grep NoNewPrivs /proc/self/status | cut -f2'
  const answers = async (security: Config) => {
    const container = await pod.start(IMAGE, 'sleep 300', linux(security))
    return (await pod.exec(container, look)).stdout.split('\n').filter((line) => line !== '')
  }
  assert.equal(await answers({ privileged: true }), ['mounted', '0', '0'])
  const usual = await answers({ masked_paths: ['/proc/acpi', '/proc/scsi'] })
  assert.is(usual.includes('mounted'), false)
  assert.is(usual.at(-1), '0')
  assert.is((await answers({ no_new_privs: true })).at(-1), '1')
})

on(
  'cri',
  'volumes: behind a link of the node, of a folder that is not there, and with what is mounted inside',
  async (engine) => {
    const folder = `${engine.folder}/volumes`
    mkdirSync(`${folder}/real`, { recursive: true })
    writeFileSync(`${folder}/real/file`, 'here\n')
    symlinkSync('real', `${folder}/link`)
    await engine.shell(`mount --bind ${folder} ${folder} && mount --make-rshared ${folder} && mkdir ${folder}/shared`)
    const pod = await Pod.run(engine, { linux: { security_context: { ...ON_NODE_SECURITY, privileged: true } } })
    const mounts = [
      { container_path: '/link', host_path: `${folder}/link` },
      { container_path: '/new', host_path: `${folder}/new/deeper` },
      { container_path: '/shared', host_path: `${folder}/shared`, propagation: Propagation.SHARED },
      { container_path: '/private', host_path: folder, propagation: Propagation.PRIVATE },
    ]
    const container = await pod.start(IMAGE, 'sleep 300', { ...linux({ privileged: true }), mounts })
    const script =
      'cat /link/file; touch /new/x; mkdir /shared/in && mount -t tmpfs x /shared/in && echo y >/shared/in/y'
    assert.is(await said(pod, container, script), 'here')
    assert.is(await engine.shell(`ls ${folder}/new/deeper; cat ${folder}/shared/in/y`), 'x\ny')
    assert.is(await said(pod, container, 'ls /private/shared/in | wc -l'), '0')
    await engine.shell(`umount ${folder}/shared/in`)
    await pod.stop(container, 0)
    await engine.shell(`umount -R ${folder}`)
  },
)

on('cri', 'a log is opened again when it was moved, and stats tell what a container takes', async (engine) => {
  const pod = await Pod.run(engine, ON_NODE)
  const container = await pod.start(IMAGE, 'i=0; while :; do echo line $((i=i+1)); sleep 0.05; done', linux({}))
  const name = () => readdirSync(engine.folder).find((each) => each.endsWith('.log')) ?? ''
  const log = await waitFor('a log', async () => ({ done: name() !== '', value: `${engine.folder}/${name()}` }))
  renameSync(log, `${log}.1`)
  await pod.reopenLog(container)
  const text = await waitFor('lines in the new log', async () => {
    const value = existsSync(log) ? readFileSync(log, 'utf8') : ''
    return { done: value.split('\n').length > 3, value }
  })
  assert.match(text, /^\S+ stdout F line \d+\n/)
  const { cpu, memory } = await pod.stats(container)
  assert.ok(cpu > 0 && memory > 0, `${cpu} ns, ${memory} bytes`)
})

on('cri', 'a pod says whom to ask for names', async (engine) => {
  const dns_config = { servers: ['192.0.2.53'], searches: ['example.test'], options: ['ndots:3'] }
  const pod = await Pod.run(engine, { ...ON_NODE, dns_config })
  const container = await pod.start(IMAGE, 'sleep 300', linux({}))
  const expected = 'search example.test\nnameserver 192.0.2.53\noptions ndots:3'
  assert.is(await said(pod, container, 'cat /etc/resolv.conf'), expected)
})
