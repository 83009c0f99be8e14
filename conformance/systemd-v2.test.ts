// Scopes of a real systemd on a tree of cgroup v2.

import { testInWorld } from './systemd/world.ts'

testInWorld('v2', 'scopes.ts')
