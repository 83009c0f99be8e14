// Pods of Podman: an infra container, whose namespaces the others join.

import { writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { on } from '../case.ts'
import type { Session } from '../engine.ts'
import { IMAGE } from '../image.ts'

/** A pod with one container that runs a script. */
async function pod(engine: Session, script: string, ...flags: string[]): Promise<{ pod: string; member: string }> {
  const [pod, member] = [engine.fresh(), engine.fresh()]
  await engine.said('pod', 'create', '--name', pod, ...flags)
  await engine.said('run', '--detach', '--pod', pod, '--name', member, IMAGE, 'sh', '-c', script)
  return { pod, member }
}

/** How all its containers are, the infra container too. */
async function states(engine: Session, pod: string): Promise<string> {
  return engine.said('pod', 'inspect', '--format', '{{range .Containers}}{{.State}} {{end}}', pod)
}

on(
  'podman',
  'pod: its containers share network, host name, IPC and processes',
  async (engine) => {
    const { pod: name, member } = await pod(
      engine,
      'mkdir /www; echo hello >/www/index.html; echo x >/dev/shm/mark; httpd -f -p 127.0.0.1:80 -h /www',
      '--share=net,ipc,uts,pid',
      '--hostname=together',
    )
    await engine.until(/x/, 'exec', member, 'cat', '/dev/shm/mark')
    const script =
      'hostname; cat /dev/shm/mark; pidof httpd | wc -w; test -e /www; echo $?; sleep 0.2; ' +
      "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc 127.0.0.1 80 | tail -1"
    assert.is(await engine.sh(script, '--pod', name), 'together\nx\n1\n1\nhello')
    const namespaces = 'for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done'
    const first = (await engine.exec(member, namespaces)).split('\n')
    const second = (await engine.sh(namespaces, '--pod', name)).split('\n')
    assert.equal(second.slice(0, 4), first.slice(0, 4))
    assert.is.not(second[4], first[4])
  },
  { short: true },
)

on('podman', 'pod: pause, unpause, stop, start, kill, remove', async (engine) => {
  const { pod: name, member } = await pod(engine, 'echo up >>/ups; while :; do sleep 0.1; done')
  await engine.said('pod', 'pause', name)
  assert.is(await states(engine, name), 'paused paused')
  await engine.said('pod', 'unpause', name)
  assert.is(await states(engine, name), 'running running')
  assert.is(await engine.exec(member, 'wc -l </ups'), '1')
  await engine.said('pod', 'stop', '--time', '0', name)
  assert.is(await engine.inspect(member, '{{.State.Status}}'), 'exited')
  await engine.said('pod', 'start', name)
  await engine.until(/^2$/m, 'exec', member, 'sh', '-c', 'wc -l </ups')
  await engine.said('pod', 'kill', name)
  await engine.until(/^exited 137$/m, 'inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', member)
  await engine.said('pod', 'rm', name)
  assert.is.not((await engine.run(['inspect', member])).status, 0)
})

on('podman', 'pod: a published port, top and stats', async (engine) => {
  const script = 'mkdir /www; echo hello >/www/index.html; httpd -f -p 80 -h /www'
  const { pod: name } = await pod(engine, script, '--publish=127.0.0.1:8083:80')
  await engine.shell('for i in 1 2 3 4 5 6 7 8 9; do curl -s http://127.0.0.1:8083 && exit; sleep 0.2; done; exit 1')
  assert.match(await engine.said('pod', 'top', name), /httpd -f -p 80/)
  const stats = await engine.said('pod', 'stats', '--no-stream', '--format', '{{.Name}} {{.PIDS}}', name)
  assert.match(stats, /infra 1$/m)
})

on('podman', 'pod: limits of the whole pod', async (engine) => {
  const { member } = await pod(engine, 'sleep 300', '--memory=64m', '--cpus=0.5')
  const parent = await engine.exec(member, 'sed -n "s/.*:memory://p" /proc/self/cgroup')
  const folder = `/sys/fs/cgroup/memory${parent}/..`
  assert.is(await engine.shell(`cat ${folder}/memory.limit_in_bytes`), `${64 << 20}`)
})

on('podman', 'pod: as a Kubernetes manifest describes it', async (engine) => {
  const [name, file] = [engine.fresh(), `${engine.folder}/pod.yaml`]
  writeFileSync(file, manifest(name))
  await engine.said('play', 'kube', file)
  const member = `${name}-main`
  engine.names.push(member)
  const said = await engine.until(/end$/m, 'logs', member)
  assert.is(said, 'prepared\nfromkube\n12:34\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\nread-only\nend')
  assert.is(await engine.exec(member, 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'), `${64 << 20}`)
  assert.is(await engine.exec(member, 'cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us'), '50000')
  await engine.said('play', 'kube', '--down', file)
  assert.is.not((await engine.run(['inspect', member])).status, 0)
})

function manifest(name: string): string {
  const script =
    'cat /data/x; hostname; echo $(id -u):$(id -g); grep -E "CapEff|NoNew" /proc/self/status; ' +
    'touch /x 2>/dev/null || echo read-only; echo end; sleep 300'
  const volumeMounts = [{ name: 'd', mountPath: '/data' }]
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name },
    spec: {
      restartPolicy: 'Never',
      hostname: 'fromkube',
      initContainers: [{ name: 'init', image: IMAGE, command: ['sh', '-c', 'echo prepared >/data/x'], volumeMounts }],
      containers: [
        {
          name: 'main',
          image: IMAGE,
          command: ['sh', '-c', script],
          resources: { limits: { memory: '64Mi', cpu: '500m' } },
          securityContext: {
            runAsUser: 12,
            runAsGroup: 34,
            allowPrivilegeEscalation: false,
            readOnlyRootFilesystem: true,
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts,
        },
      ],
      volumes: [{ name: 'd', emptyDir: {} }],
    },
  })
}
