// Networks: none, a bridge, published ports, names.

import * as assert from 'uvu/assert'
import { BOTH, on } from '../case.ts'
import { waitFor } from '../engine.ts'

/** Say something by HTTP on port 80. */
const SERVE = 'mkdir /www; echo hello > /www/index.html; httpd -f -p 80 -h /www'

/** Ask the host of a shell variable for it. */
const ASK = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc $host 80 | tail -1"

on(
  BOTH,
  'no network: a loopback that is up, and nothing else',
  async (engine) => {
    const said = await engine.sh(
      `ls /sys/class/net; ip -o -4 addr; (${SERVE} &) ; sleep 0.2; host=127.0.0.1; ${ASK}`,
      '--network=none',
    )
    assert.match(said, /^lo\n1: lo +inet 127\.0\.0\.1\/8 [^\n]*\nhello$/)
  },
  { short: true },
)

on(BOTH, 'a bridge: two containers reach each other', async (engine) => {
  const server = await engine.launch(SERVE)
  const address = await engine.exec(server, "ip -4 addr show eth0 | sed -n 's/.*inet \\([0-9.]*\\).*/\\1/p'")
  assert.match(address, /^\d+\.\d+\.\d+\.\d+$/)
  assert.is(await engine.sh(`sleep 0.3; host=${address}; ${ASK}`), 'hello')
})

on(BOTH, 'a published port is reached from the host', async (engine) => {
  const port = engine.engine.name === 'podman' ? '8081' : '8082'
  await engine.launch(SERVE, '--publish', `127.0.0.1:${port}:80`)
  const said = await waitFor(`port ${port}`, async () => {
    const answer = await fetch(`http://127.0.0.1:${port}`).then((response) => response.text(), String)
    return { done: !answer.includes('Error'), value: answer }
  })
  assert.is(said, 'hello\n')
})

on(BOTH, 'a network of one’s own, with names', async (engine) => {
  const network = engine.fresh()
  await engine.said(
    'network',
    'create',
    '--subnet',
    engine.engine.name === 'podman' ? '10.77.0.0/24' : '10.78.0.0/24',
    network,
  )
  const server = await engine.launch(SERVE, '--network', network)
  // The resolver of a static libc needs libraries, so the name is looked up by hand.
  const script = `sleep 0.5; host=$(nslookup ${server} | sed -n 's/^Address: //p' | head -1); ${ASK}`
  const client = await engine.sh(script, '--network', network)
  assert.is(client, 'hello')
  await engine.said('kill', server)
})

on(BOTH, 'a network is joined and left by a running container', async (engine) => {
  const network = engine.fresh()
  await engine.said('network', 'create', network)
  const name = await engine.launch('sleep 300')
  const links = 'ls /sys/class/net | sort | tr "\\n" " "'
  await engine.said('network', 'connect', network, name)
  assert.is(await engine.exec(name, links), 'eth0 eth1 lo')
  await engine.said('network', 'disconnect', network, name)
  assert.is(await engine.exec(name, links), 'eth0 lo')
  await engine.said('kill', name)
})
